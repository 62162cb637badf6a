// Package greeting says hello.
package greeting

// Text is what the programs say.
func Text() string {
	return "Hello from Go"
}
