package ingest

// For each connection there is one descriptor. Of those that the process may have, half
// are left to the admin listener, to NATS and to its store, and sixteen more, which with
// few is what those need at least.
const (
	sparedDescriptors = 16
	leastConnections  = 4
)

// connectionsWithin is how many connections may be open where the process may have that
// many descriptors, 0 for any number.
func connectionsWithin(most int, descriptors uint64) int {
	if descriptors == 0 || descriptors/2 >= uint64(most)+sparedDescriptors {
		return most
	}
	return min(most, max(leastConnections, int(descriptors/2)-sparedDescriptors))
}
