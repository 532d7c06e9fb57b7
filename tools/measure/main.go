// Command measure prints the figures that docs/architecture.md keeps about the
// repository in the current folder, as a Markdown table or, with --json, as an
// array of measures. Run it from the repository's root:
//
//	go run tools/measure/*.go
//
// It reads every Go file except those in testdata, in hidden folders and in
// modules of their own. Each file belongs to one of three parts:
//
//   - tests: files that end in _test.go, wherever they are;
//   - test wing: the other files of the folders in testWing;
//   - product: all the rest.
//
// Lines are counted as `wc -l` counts them, blank lines and comments included.
// Every measure but the lines of the other two parts, the ratio, the examples
// and the README is of the product alone:
//
//   - tests and test wing : product is the ratio of their lines;
//   - files of one package are the product files of one folder;
//   - methods of one type are declared with it as receiver;
//   - own imports are the distinct packages of this module that one package
//     imports; programs (package main) count for neither side;
//   - a function is as long as its declaration, from func to the closing brace,
//     doc comment apart; function literals belong to the function around them;
//   - the median and the 95th percentile are by nearest rank; ratios and
//     percentages are cut, not rounded, to two decimals;
//   - a comment line holds nothing but a comment; its share is of all lines;
//   - exported things are the functions, types, constants, variables and the
//     methods of exported types; a comment on a group documents its members;
//   - a runnable example is an Example function with an output comment, which
//     `go test` therefore runs and compares.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
)

// testWing names the folders, with all below them, that exist for tests alone.
var testWing = []string{"internal/e2e", "internal/proof", "internal/sandbox", "internal/testwing"}

// assembly names the folders whose packages put programs together, or a person's acts;
// every other package, programs apart, is of the engine.
var assembly = []string{"internal/app", "internal/cli", "internal/operate"}

// ledger holds the type of a ledger's step, whose methods are counted apart.
const ledger = "internal/ledger"

func main() {
	if err := run(os.DirFS("."), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "measure:", err)
		os.Exit(1)
	}
}

func run(repository fs.FS, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("measure", flag.ContinueOnError)
	asJSON := flags.Bool("json", false, "print a JSON array of {measure, value, where}")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q: the repository is the current folder", flags.Arg(0))
	}
	t, err := read(repository)
	if err != nil {
		return err
	}
	figures := t.figures()
	if *asJSON {
		out := json.NewEncoder(stdout)
		out.SetIndent("", "  ")
		return out.Encode(figures)
	}
	rows := "| measure | figure | where |\n|---|---:|---|\n"
	for _, f := range figures {
		where := ""
		if f.Where != "" {
			where = "`" + f.Where + "`"
		}
		rows += fmt.Sprintf("| %s | %s | %s |\n", f.Measure, strconv.FormatFloat(f.Value, 'f', -1, 64), where)
	}
	_, err = io.WriteString(stdout, rows)
	return err
}
