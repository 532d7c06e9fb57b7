package bus

// For the tests from outside.
var (
	Older       = older
	JudgeSync   = judgeSync
	SweepProbes = sweepProbes
)
