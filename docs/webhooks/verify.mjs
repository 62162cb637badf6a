import { createHmac, timingSafeEqual } from "node:crypto";

export function verify(headers, body, secret, tolerance = 300) {
  const parts = headers["x-orbitra-signature"].split(",").map((p) => p.trim().split("=", 2));
  const t = parts.find(([k]) => k === "t")[1];
  if (Math.abs(Date.now() / 1000 - Number(t)) > tolerance) throw new Error("timestamp outside tolerance");
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const want = createHmac("sha256", key).update(`${headers["x-orbitra-event-id"]}.${t}.`).update(body).digest();
  const ok = parts.some(([k, v]) => {
    const got = Buffer.from(v, "hex");
    return k === "v1" && got.length === want.length && timingSafeEqual(got, want);
  });
  if (!ok) throw new Error("no matching signature");
  return JSON.parse(body);
}
