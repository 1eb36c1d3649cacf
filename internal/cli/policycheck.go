package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"github.com/hubgate/hubgate/internal/gateway"
	"github.com/hubgate/hubgate/internal/gateway/policy"
	"github.com/hubgate/hubgate/internal/resource"
)

// errFaults ends policy check with the exit code of a failure after the faults have been printed.
var errFaults = errors.New("there are faults")

// finding is a fault of a policy document in a file.
type finding struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Element string `json:"element,omitzero"`
	Message string `json:"message"`
}

// policyScopes are the values of --scope.
var policyScopes = map[string]policy.Scope{"any": 0, "global": policy.Global, "product": policy.ProductScope, "api": policy.APIScope, "operation": policy.OperationScope}

func newPolicyCheckCommand() *cobra.Command {
	var o struct {
		format, scope, output string
		templates, summary    bool
	}
	c := &cobra.Command{
		Use:   "check FILE…",
		Short: "Say what a gateway would refuse in policy documents",
		Long: "Compile policy documents and fragments as a gateway does and print each fault with its line and column. Nothing needs to run.\n" +
			"Named values, backends, fragments and other resources that a document names are taken to be there. - reads the standard input.\n" +
			"Of a directory, all files are read whose names end in .xml, .policy, .tpl or .tftpl and that hold a policy document.\n" +
			"The exit code is 1 when there is a fault.",
		Example: "  hubgate apim policy check api.xml product.xml\n" +
			"  hubgate apim policy check --output sarif policies/ >faults.sarif",
		RunE: func(c *cobra.Command, args []string) error {
			scope, known := policyScopes[o.scope]
			switch {
			case len(args) == 0:
				return usagef("name a file")
			case o.format != string(resource.PolicyXML) && o.format != string(resource.PolicyRawXML):
				return usagef("--format is rawxml or xml, not %q", o.format)
			case !known:
				return usagef("--scope is any, global, product, api or operation, not %q", o.scope)
			case o.output != "text" && o.output != "json" && o.output != "sarif":
				return usagef("--output is text, json or sarif, not %q", o.output)
			}
			files, err := policyFiles(args)
			if err != nil {
				return err
			}
			check := gateway.CheckOptions{Format: resource.PolicyFormat(o.format), Scope: scope, Templates: o.templates}
			var findings []finding
			report := newPolicySummary()
			for _, f := range files {
				text, err := f.read(c.InOrStdin())
				if err != nil {
					return err
				}
				if f.found && !isPolicyDocument(text) {
					continue
				}
				faults := gateway.CheckPolicy(text, check)
				report.add(f.name, faults)
				for _, fault := range faults {
					findings = append(findings, finding{File: filepath.ToSlash(f.name), Line: fault.Line, Column: fault.Column, Element: fault.Element, Message: fault.Message})
				}
			}
			if o.summary {
				err = report.write(c.OutOrStdout())
			} else {
				err = writeFindings(c.OutOrStdout(), o.output, findings)
			}
			if err == nil && len(findings) > 0 {
				err = errFaults
			}
			return err
		},
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.format, "format", string(resource.PolicyRawXML), "how the documents are written: rawxml, as in an editor, or xml, with expressions escaped")
	flags.StringVar(&o.scope, "scope", "any", "where they belong: any, global, product, api or operation")
	flags.StringVar(&o.output, "output", "text", "text, json or sarif")
	flags.BoolVar(&o.templates, "templates", false, "take what tools like Terraform fill in, ${…}, {…} and %{…}, for named values")
	flags.BoolVar(&o.summary, "summary", false, "print how many documents compile, and how often each reason not to occurs")
	return c
}

// policyFile is a file to check. found says that it was found in a directory rather than named.
type policyFile struct {
	name  string
	found bool
}

// policyFiles are the files that the arguments name.
func policyFiles(args []string) ([]policyFile, error) {
	var files []policyFile
	for _, name := range args {
		info, err := os.Stat(name)
		if name == "-" || err == nil && !info.IsDir() {
			files = append(files, policyFile{name: name})
			continue
		}
		if err != nil {
			return nil, err
		}
		err = filepath.WalkDir(name, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			switch filepath.Ext(path) {
			case ".xml", ".policy", ".tpl", ".tftpl":
				files = append(files, policyFile{name: path, found: true})
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return files, nil
}

func (f policyFile) read(stdin io.Reader) (string, error) {
	r := stdin
	if f.name != "-" {
		file, err := os.Open(f.name)
		if err != nil {
			return "", err
		}
		defer file.Close()
		r = file
	}
	data, err := io.ReadAll(io.LimitReader(r, resource.MaxPolicySize+1))
	return string(data), err
}

// isPolicyDocument says whether a text is worth checking: XML files may be anything.
func isPolicyDocument(text string) bool {
	root := policy.RootName(text)
	return root == "policies" || root == "fragment"
}

func writeFindings(w io.Writer, output string, findings []finding) error {
	switch output {
	case "json":
		if findings == nil {
			findings = []finding{}
		}
		return writeIndented(w, findings)
	case "sarif":
		return writeIndented(w, newSARIF(findings))
	}
	for _, f := range findings {
		element := ""
		if f.Element != "" {
			element = f.Element + ": "
		}
		if _, err := fmt.Fprintf(w, "%s:%d:%d: %s%s\n", f.File, f.Line, f.Column, element, f.Message); err != nil {
			return err
		}
	}
	return nil
}

func writeIndented(w io.Writer, v any) error {
	data, err := json.Marshal(v, jsontext.WithIndent("  "), json.Deterministic(true))
	if err != nil {
		return err
	}
	_, err = w.Write(append(data, '\n'))
	return err
}

// policySummary counts documents and the reasons why some do not compile.
type policySummary struct {
	documents, compiled, refused int
	reasons                      map[string]int // documents by reason
	files                        map[string]string
}

func newPolicySummary() *policySummary {
	return &policySummary{reasons: map[string]int{}, files: map[string]string{}}
}

var (
	quotedPart = regexp.MustCompile(`"[^"]*"|'[^']*'`)
	placePart  = regexp.MustCompile(`line \d+, column \d+`)
)

// add counts a document. One that uses a refused policy counts apart, whatever else is wrong with it.
func (s *policySummary) add(file string, faults policy.Errors) {
	s.documents++
	if len(faults) == 0 {
		s.compiled++
		return
	}
	seen := map[string]bool{}
	refused := false
	for _, f := range faults {
		reason := f.Message
		if strings.HasPrefix(reason, "The policy is not supported") {
			refused = true
			reason = f.Element + ": " + reason
		} else {
			reason = placePart.ReplaceAllString(quotedPart.ReplaceAllString(reason, "…"), "…")
		}
		if !seen[reason] {
			seen[reason] = true
			s.reasons[reason]++
			if s.files[reason] == "" {
				s.files[reason] = file
			}
		}
	}
	if refused {
		s.refused++
	}
}

func (s *policySummary) write(w io.Writer) error {
	possible := s.documents - s.refused
	share := 0.0
	if possible > 0 {
		share = 100 * float64(s.compiled) / float64(possible)
	}
	if _, err := fmt.Fprintf(w, "%d documents: %d compile, %d use a policy that is refused; of the other %d, %.1f %% compile\n", s.documents, s.compiled, s.refused, possible, share); err != nil {
		return err
	}
	reasons := make([]string, 0, len(s.reasons))
	for r := range s.reasons {
		reasons = append(reasons, r)
	}
	slices.SortFunc(reasons, func(a, b string) int { return cmp.Or(s.reasons[b]-s.reasons[a], strings.Compare(a, b)) })
	for _, r := range reasons {
		if _, err := fmt.Fprintf(w, "%5d  %s  (%s)\n", s.reasons[r], r, s.files[r]); err != nil {
			return err
		}
	}
	return nil
}
