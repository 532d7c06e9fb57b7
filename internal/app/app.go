// Package app assembles the programs: it builds the parts in order, connects
// them, and takes them down again. Package cli starts it, and so does the sandbox,
// so that what is tried there is what runs.
//
// It decides nothing about events and knows no subcommand. Every part gets plain
// settings out of the configuration.
package app

import "runtime/debug"

// Version is the module's version, or the revision that it was built from.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			v += " " + s.Value[:12]
		}
	}
	return v
}
