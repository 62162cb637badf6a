package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

var (
	ErrTimestamp = errors.New("timestamp outside tolerance")
	ErrSignature = errors.New("no matching signature")
)

func Verify(h http.Header, body []byte, secret string, tolerance time.Duration) error {
	var ts string
	var sigs []string
	for _, p := range strings.Split(h.Get("X-Orbitra-Signature"), ",") {
		k, v, _ := strings.Cut(strings.TrimSpace(p), "=")
		switch k {
		case "t":
			ts = v
		case "v1":
			sigs = append(sigs, v)
		}
	}
	n, err := strconv.ParseInt(ts, 10, 64)
	if err != nil || time.Since(time.Unix(n, 0)).Abs() > tolerance {
		return ErrTimestamp
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return err
	}
	m := hmac.New(sha256.New, key)
	io.WriteString(m, h.Get("X-Orbitra-Event-Id")+"."+ts+".")
	m.Write(body)
	want := m.Sum(nil)
	for _, s := range sigs {
		if got, err := hex.DecodeString(s); err == nil && hmac.Equal(got, want) {
			return nil
		}
	}
	return ErrSignature
}
