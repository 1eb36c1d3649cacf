package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/hubgate/hubgate/internal/config"
	"github.com/hubgate/hubgate/internal/openapi"
	"github.com/hubgate/hubgate/internal/resource"
)

// note is a problem or a warning about a place of an OpenAPI document. Scripts read it: fields may be added, never changed.
type note struct {
	Line    int    `json:"line,omitzero"`
	Column  int    `json:"column,omitzero"`
	Pointer string `json:"pointer,omitzero"`
	Message string `json:"message"`
	Count   int    `json:"count,omitzero"` // of warnings: at how many places
}

func newNote(p openapi.Problem) note {
	return note{Line: p.Line, Column: p.Column, Pointer: p.Pointer, Message: p.Message}
}

func newNotes(warnings []openapi.Warning) []note {
	notes := []note{}
	for _, w := range warnings {
		n := newNote(w.Problem)
		n.Count = w.Count
		notes = append(notes, n)
	}
	return notes
}

func newAPIImportCommand() *cobra.Command {
	var o struct {
		name, path, displayName, serviceURL, service string
		requiredQuery                                string
		json                                         bool
	}
	c := &cobra.Command{
		Use:   "import FILE",
		Short: "Print what an OpenAPI document describes as an API of the configuration",
		Long: "Read an OpenAPI document (2, 3.0 or 3.1; JSON or YAML) and print its API with operations and definitions as a configuration file has it:\n" +
			"an item for the list apis of a service or, with --service, a whole file. - reads the standard input. What an API has no place for\n" +
			"is a warning on the standard error. The exit code is 1 when the document is wrong. Nothing needs to run.",
		Example: "  hubgate apim api import --path shop petstore.yaml\n" +
			"  hubgate apim api import --service apim1 --service-url https://pets.example petstore.yaml >hubgate.yaml",
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) == 0:
				return usagef("name a file")
			case len(args) > 1:
				return usagef("unexpected argument %q", args[1])
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			switch required := openapi.RequiredQuery(o.requiredQuery); required {
			case openapi.RequiredQueryTemplate, openapi.RequiredQueryQuery:
			default:
				return usagef("--required-query is %s or %s, not %q", openapi.RequiredQueryTemplate, openapi.RequiredQueryQuery, required)
			}
			file := args[0]
			document, err := readDocument(c.InOrStdin(), file)
			if err != nil {
				return err
			}
			target := &resource.API{
				ID:          resource.NewID(resource.ApiManagement, "service", "service", "apis", "api"),
				DisplayName: o.displayName, ServiceURL: o.serviceURL,
			}
			if err := target.Validate(); err != nil {
				return usageError{err}
			}
			result, err := openapi.Import(document, "", openapi.Target{API: target, RequiredQuery: openapi.RequiredQuery(o.requiredQuery)})
			if failed, ok := errors.AsType[*openapi.Error](err); ok {
				return reportProblems(c.OutOrStdout(), filepath.ToSlash(file), failed, o.json)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			api := config.FromOpenAPI(result)
			if api.Name = o.name; api.Name == "" {
				api.Name = openapi.NormalizeOperationID(result.API.DisplayName)
			}
			if api.Name == "" {
				return usagef("%s: the title %q gives no name for the API; give --name", file, result.API.DisplayName)
			}
			if api.Path = o.path; !c.Flag("path").Changed {
				api.Path = api.Name
			}
			text, err := configurationOf(api, o.service)
			if err != nil {
				return err
			}
			if o.json {
				return printImport(c.OutOrStdout(), text, result.Warnings)
			}
			writeWarnings(c.ErrOrStderr(), filepath.ToSlash(file), result.Warnings)
			_, err = c.OutOrStdout().Write(text)
			return err
		},
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.name, "name", "", "the API's name (default: made of the document's title)")
	flags.StringVar(&o.path, "path", "", "its URL suffix; an empty one is the root (default: the name)")
	flags.StringVar(&o.displayName, "display-name", "", "its display name (default: the document's title)")
	flags.StringVar(&o.serviceURL, "service-url", "", "URL of its backend (default: the first https server of the document)")
	flags.StringVar(&o.requiredQuery, "required-query", string(openapi.RequiredQueryTemplate), "what becomes of required query parameters: template, they are part of URL templates, or query")
	flags.StringVar(&o.service, "service", "", "print a whole configuration file with this API Management service")
	flags.BoolVar(&o.json, "json", false, "print one line of JSON with the API, the warnings and what is wrong")
	return c
}

// readDocument reads a file, or the standard input, of as many bytes as an OpenAPI document may have and one more.
func readDocument(stdin io.Reader, name string) ([]byte, error) {
	r := stdin
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		r = file
	}
	return io.ReadAll(io.LimitReader(r, openapi.MaxDocument+1))
}

// configurationOf is an API as YAML. It is read as a whole file first, so that nothing is printed that a node would not take.
func configurationOf(api config.API, service string) ([]byte, error) {
	stand := service
	if stand == "" {
		stand = "service"
	}
	whole, err := api.YAML(stand)
	if err != nil {
		return nil, err
	}
	if _, err := config.Parse(whole, "the configuration", os.LookupEnv); err != nil {
		return nil, err
	}
	if service != "" {
		return whole, nil
	}
	return api.YAML("")
}

func writeWarnings(w io.Writer, file string, warnings []openapi.Warning) {
	for _, warning := range warnings {
		fmt.Fprintf(w, "hubgate: warning: %s\n", warning.In(file))
	}
}

// reportProblems is the error of a document that is wrong: a line for each problem or, as JSON, one line that has all.
func reportProblems(w io.Writer, file string, failed *openapi.Error, asJSON bool) error {
	if !asJSON {
		var errs []error
		for _, p := range failed.Problems {
			errs = append(errs, errors.New(p.In(file)))
		}
		return errors.Join(errs...)
	}
	var line struct {
		Problems []note `json:"problems"`
	}
	for _, p := range failed.Problems {
		line.Problems = append(line.Problems, newNote(p))
	}
	return errors.Join(writeLine(w, line), errFaults)
}

// printImport prints the line of --json. The configuration is YAML, which JSON is too, so what it says can be used as it is.
func printImport(w io.Writer, configuration []byte, warnings []openapi.Warning) error {
	var line struct {
		Configuration any    `json:"configuration"`
		Warnings      []note `json:"warnings"`
	}
	line.Warnings = newNotes(warnings)
	if err := yaml.Unmarshal(configuration, &line.Configuration); err != nil {
		return err
	}
	return writeLine(w, line)
}

// writeLine writes one line of JSON.
func writeLine(w io.Writer, v any) error {
	data, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return err
	}
	_, err = w.Write(append(data, '\n'))
	return err
}
