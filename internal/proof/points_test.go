package proof

import (
	"fmt"
	"strings"
)

// points are where a test build can be told to die.
var points = [...]string{"write", "wrote", "call", "called", "publish", "published", "ack"}

// dieAt lets a process die when it comes by a point for the n-th time.
func dieAt(point string, n int) []string { return []string{fmt.Sprintf("%s=%s:%d", crashAt, point, n)} }

// crashAt is the variable that a test build reads.
const crashAt = "GONGDAN_CRASH"

// pointOf is the point at which a process was to die.
func pointOf(env []string) string {
	for _, e := range env {
		if what, ok := strings.CutPrefix(e, crashAt+"="); ok {
			point, _, _ := strings.Cut(what, ":")
			return point
		}
	}
	return "none"
}
