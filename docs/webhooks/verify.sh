# SECRET, EVENT_ID and T as they came; body.json holds the raw body. Prints what one of the v1 must be.
KEY=$(printf %s "${SECRET#whsec_}" | base64 -d | od -An -v -tx1 | tr -d ' \n')
{ printf '%s.%s.' "$EVENT_ID" "$T"; cat body.json; } | openssl dgst -sha256 -mac HMAC -macopt hexkey:"$KEY"
