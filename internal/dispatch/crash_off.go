//go:build !crashpoints

package dispatch

// crash marks a point between two effects at which the process may die. Builds
// with the tag crashpoints can be told to.
func crash(string) {}
