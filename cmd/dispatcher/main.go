// Command dispatcher is a program of Gongdan Bridge; see package cli.
package main

import (
	"os"

	"gongdan-bridge/internal/cli"
)

func main() { os.Exit(cli.Main("dispatcher", cli.DispatcherMain)) }
