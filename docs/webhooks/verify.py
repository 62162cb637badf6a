import base64, hashlib, hmac, json, time

def verify(headers, body: bytes, secret: str, tolerance: int = 300):
    h = {k.lower(): v for k, v in headers.items()}
    parts = [p.split("=", 1) for p in h["x-orbitra-signature"].split(",") if "=" in p]
    t = next(v for k, v in parts if k.strip() == "t")
    sigs = [v.strip() for k, v in parts if k.strip() == "v1"]
    if abs(time.time() - int(t)) > tolerance:
        raise ValueError("timestamp outside tolerance")
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f'{h["x-orbitra-event-id"]}.{t}.'.encode() + body
    want = hmac.new(key, signed, hashlib.sha256).hexdigest()
    if not any(hmac.compare_digest(want, s) for s in sigs):
        raise ValueError("no matching signature")
    return json.loads(body)
