package archtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hubgate/hubgate/internal/config"
	apim "github.com/hubgate/hubgate/internal/gateway"
	"github.com/hubgate/hubgate/internal/gateway/policy"
	"github.com/hubgate/hubgate/internal/resource"
)

// The pages of the manual that the tests below hold against the code.
const (
	configurationPage = "docs/configuration.md"
	gatewayPage       = "docs/gateway.md"
	appServerPage     = "docs/appserver.md"
	compatibilityPage = "docs/compatibility.md"
)

// manual are the pages that users read, with the README.
func manual(t *testing.T) []string {
	t.Helper()
	pages := []string{"README.md"}
	for _, name := range trackedFiles(t) {
		if strings.HasPrefix(name, "docs/") && strings.HasSuffix(name, ".md") {
			pages = append(pages, name)
		}
	}
	for _, want := range []string{configurationPage, gatewayPage, appServerPage, compatibilityPage} {
		if !slices.Contains(pages, want) {
			t.Fatalf("the manual has no page %s", want)
		}
	}
	return pages
}

func page(t *testing.T, name string) string {
	t.Helper()
	text, ok := readText(t, name)
	if !ok {
		t.Fatalf("%s is not a text", name)
	}
	return text
}

// block is a fenced block of a page.
type block struct {
	page     string
	line     int // of its first line of text
	language string
	text     string
}

func (b block) String() string { return fmt.Sprintf("%s:%d", b.page, b.line) }

// blocks are the fenced blocks of a page.
func blocks(t *testing.T, name string) []block {
	t.Helper()
	var all []block
	var open *block
	for i, line := range strings.Split(page(t, name), "\n") {
		language, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && open == nil:
			open = &block{page: name, line: i + 2, language: language}
		case fence:
			all = append(all, *open)
			open = nil
		case open != nil:
			open.text += line + "\n"
		}
	}
	if open != nil {
		t.Errorf("%s: the block is not closed", open)
	}
	return all
}

// row is a row of a table of a page.
type row struct {
	line  int
	cells []string
}

// rows are the rows of the tables of a page whose head begins with the given cell.
func rows(t *testing.T, name, head string) []row {
	t.Helper()
	var all []row
	inside := false
	for i, line := range strings.Split(page(t, name), "\n") {
		text, isRow := strings.CutPrefix(line, "|")
		if !isRow {
			inside = false
			continue
		}
		var cells []string
		for cell := range strings.SplitSeq(strings.TrimSuffix(text, "|"), "|") {
			cells = append(cells, strings.TrimSpace(cell))
		}
		switch {
		case cells[0] == head:
			inside = true
		case inside && !strings.HasPrefix(cells[0], "---"):
			all = append(all, row{i + 1, cells})
		}
	}
	if len(all) == 0 {
		t.Fatalf("%s has no table that begins with the column %q", name, head)
	}
	return all
}

var codeSpan = regexp.MustCompile("`([^`]+)`")

// spans are the texts in backquotes of a cell.
func spans(cell string) []string {
	var all []string
	for _, found := range codeSpan.FindAllStringSubmatch(cell, -1) {
		all = append(all, found[1])
	}
	return all
}

// fields adds the paths of the fields of a type of the configuration, and those of the defaults that are not zero, to defaults.
func fields(at string, v reflect.Value, paths map[string]bool, defaults map[string]string) {
	switch v.Interface().(type) {
	case config.Secret, config.Policy, config.OpenAPI, config.Properties, []config.Parameter, []config.Representation:
		paths[at] = true // forms of values, which have a table of their own
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			name := v.Type().Field(i).Tag.Get("yaml")
			if name == "" {
				continue
			}
			if at != "" {
				name = at + "." + name
			}
			fields(name, v.Field(i), paths, defaults)
		}
		return
	case reflect.Pointer:
		if v.Type().Elem().Kind() == reflect.Struct {
			fields(at, reflect.Zero(v.Type().Elem()), paths, defaults)
			return
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Struct {
			fields(at+"[]", reflect.Zero(v.Type().Elem()), paths, defaults)
			return
		}
	}
	paths[at] = true
	if !v.IsZero() {
		defaults[at] = fmt.Sprint(v.Interface())
	}
}

// TestConfigurationPage holds the tables of fields against the type that the file is decoded into.
func TestConfigurationPage(t *testing.T) {
	t.Parallel()
	want, defaults := make(map[string]bool), make(map[string]string)
	fields("", reflect.ValueOf(*config.Default()), want, defaults)
	if len(want) < 50 {
		t.Fatalf("the configuration has only %d fields", len(want))
	}
	got := make(map[string]bool)
	for _, r := range rows(t, configurationPage, "field") {
		names := spans(r.cells[0])
		if len(names) != 1 || len(r.cells) != 3 {
			t.Errorf("%s:%d: a row has one field, its default and its meaning", configurationPage, r.line)
			continue
		}
		name := names[0]
		if got[name] {
			t.Errorf("%s:%d: %s is there twice", configurationPage, r.line, name)
		}
		got[name] = true
		if value, ok := defaults[name]; ok {
			if said := strings.Trim(r.cells[1], "`"); !sameValue(said, value) {
				t.Errorf("%s:%d: the default of %s is %s, not %s", configurationPage, r.line, name, value, said)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fields of the configuration and of %s (-code +page):\n%s", configurationPage, diff)
	}
	keys := make(map[string]bool)
	for _, r := range rows(t, configurationPage, "key") {
		for _, name := range spans(r.cells[0]) {
			keys[name] = true
		}
	}
	for _, form := range []reflect.Type{reflect.TypeFor[config.Secret](), reflect.TypeFor[config.Policy](), reflect.TypeFor[config.OpenAPI](),
		reflect.TypeFor[config.Parameter](), reflect.TypeFor[config.Representation]()} {
		for i := range form.NumField() {
			if name := form.Field(i).Tag.Get("yaml"); name != "" && !keys[name] {
				t.Errorf("%s has no row for the key %s of a %s", configurationPage, name, form.Name())
			}
		}
	}
}

// sameValue compares a default as a page writes it with the one of the code: durations and sizes have several spellings.
func sameValue(said, value string) bool {
	if said == value {
		return true
	}
	a, err := time.ParseDuration(said)
	b, err2 := time.ParseDuration(value)
	if err == nil && err2 == nil {
		return a == b
	}
	for unit, factor := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30} {
		if number, ok := strings.CutSuffix(said, unit); ok {
			n, err := strconv.ParseInt(number, 10, 64)
			return err == nil && fmt.Sprint(n*factor) == value
		}
	}
	return false
}

// References to files in a configuration, which a page cannot bring along.
var (
	fileReference     = regexp.MustCompile(`\bfile: [^},\n]+`)
	documentReference = regexp.MustCompile(`\bopenapi: [^{},\n]+`)
)

// standInDocument has the operations that examples change.
const standInDocument = `openapi: 3.0.3
info: {title: Stand-in}
paths:
  /pets: {get: {operationId: listPets, responses: {}}, post: {operationId: createPet, responses: {}}}
`

// TestExamplesAreValid reads each YAML block of the manual as a configuration file.
func TestExamplesAreValid(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stand := filepath.Join(dir, "stand-in")
	document := filepath.Join(dir, "stand-in.yaml")
	for name, text := range map[string]string{stand: "<policies />", document: standInDocument} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	environment := func(string) (string, bool) { return "stand-in-of-a-secret", true }
	count := 0
	for _, name := range manual(t) {
		for _, b := range blocks(t, name) {
			if b.language != "yaml" {
				continue
			}
			count++
			text := fileReference.ReplaceAllString(b.text, "file: "+strconv.Quote(stand))
			text = documentReference.ReplaceAllString(text, "openapi: "+strconv.Quote(document))
			if _, err := config.Parse([]byte(text), filepath.Join(dir, "hubgate.yaml"), environment); err != nil {
				t.Errorf("%s: %v", b, err)
			}
		}
	}
	if count < 3 {
		t.Errorf("the manual has only %d YAML blocks", count)
	}
}

// commands are the command lines of a page: in blocks without a language or of a shell, and in backquotes. Each begins with the word.
func commands(t *testing.T, name, word string) map[string]string {
	t.Helper()
	found := make(map[string]string) // from the command line to its place
	for _, b := range blocks(t, name) {
		if b.language != "" && b.language != "sh" && b.language != "console" {
			continue
		}
		for i, line := range strings.Split(b.text, "\n") {
			if line = strings.TrimSpace(line); strings.HasPrefix(line, word+" ") {
				line, _, _ = strings.Cut(line, "#")
				found[strings.TrimSpace(line)] = fmt.Sprintf("%s:%d", name, b.line+i)
			}
		}
	}
	fenced := false
	for i, line := range strings.Split(page(t, name), "\n") {
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
		}
		if fenced {
			continue
		}
		for _, text := range spans(line) {
			if strings.HasPrefix(text, word+" ") {
				found[text] = fmt.Sprintf("%s:%d", name, i+1)
			}
		}
	}
	return found
}

// TestMakeTargets looks for the targets that the manual names in the Makefile.
func TestMakeTargets(t *testing.T) {
	t.Parallel()
	makefile := page(t, "Makefile")
	count := 0
	for _, name := range append(manual(t), "conformance/README.md") {
		for line, place := range commands(t, name, "make") {
			count++
			target := strings.Fields(line)[1]
			if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(target) + `:`).MatchString(makefile) {
				t.Errorf("%s: the Makefile has no target %q", place, target)
			}
		}
	}
	if count == 0 {
		t.Error("the manual names no target")
	}
}

// TestCommandLines asks the program for help on each command line of the manual: the commands must be there, and the flags.
func TestCommandLines(t *testing.T) {
	t.Parallel()
	program := buildProgram(t)
	help := make(map[string]string) // by the words of the command
	ask := func(words ...string) string {
		key := strings.Join(words, " ")
		if text, known := help[key]; known {
			return text
		}
		command := exec.CommandContext(t.Context(), program, append(slices.Clone(words), "--help")...)
		out, err := command.CombinedOutput()
		if err != nil {
			t.Errorf("hubgate %s --help: %v\n%s", key, err, out)
		}
		help[key] = string(out)
		return help[key]
	}
	count := 0
	for _, name := range append(manual(t), "conformance/README.md") {
		for line, place := range commands(t, name, "hubgate") {
			count++
			var words, flags []string
			for _, word := range strings.Fields(line)[1:] {
				switch {
				case strings.HasPrefix(word, "--"):
					flag, _, _ := strings.Cut(word, "=")
					flags = append(flags, flag)
				case len(flags) == 0 && commandWord.MatchString(word):
					words = append(words, word)
				}
			}
			text := ask(words...)
			if want := strings.Join(append([]string{"hubgate"}, words...), " "); !regexp.MustCompile(`(?m)^  ` + regexp.QuoteMeta(want) + `( \[|$| [A-Z-])`).MatchString(text) {
				t.Errorf("%s: the program has no command %q", place, want)
				continue
			}
			for _, flag := range flags {
				if !regexp.MustCompile(regexp.QuoteMeta(flag) + `\b`).MatchString(text) {
					t.Errorf("%s: %q has no flag %s", place, strings.Join(words, " "), flag)
				}
			}
		}
	}
	if count < 5 {
		t.Errorf("the manual has only %d command lines", count)
	}
	for _, r := range rows(t, configurationPage, "flag") {
		for _, flag := range spans(r.cells[0]) {
			if !strings.Contains(ask("serve")+ask("demo")+ask("connection-string")+ask("apim", "api", "import")+ask("apim", "api", "export"), flag) {
				t.Errorf("%s:%d: no command has the flag %s", configurationPage, r.line, flag)
			}
		}
	}
	for _, command := range []string{"serve", "demo", "connection-string"} {
		for _, found := range regexp.MustCompile(`(?m)^ +(?:-\w, )?(--[a-z-]+)`).FindAllStringSubmatch(ask(command), -1) {
			if found[1] != "--help" && !strings.Contains(page(t, configurationPage), "`"+found[1]+"`") {
				t.Errorf("%s does not have the flag %s of hubgate %s", configurationPage, found[1], command)
			}
		}
	}
}

// commandWord is a word that may be a command; arguments have dots, slashes, capitals or ellipses.
var commandWord = regexp.MustCompile(`^[a-z][a-z-]*$`)

// buildProgram builds hubgate as it is.
func buildProgram(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "hubgate")
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./cmd/hubgate")
	build.Dir = root(t)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return program
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// TestPolicyTable holds the table of policies in the manual against that of the code: names, sections and scopes.
func TestPolicyTable(t *testing.T) {
	t.Parallel()
	table := policy.Policies()
	type entry struct{ Sections, Scopes string }
	want, got := make(map[string]entry), make(map[string]entry)
	refused, listed := make(map[string]bool), make(map[string]bool)
	for name, d := range table {
		if d.New == nil {
			refused[name] = true
			continue
		}
		want[name] = entry{sectionLetters(d.Sections), scopeWords(d.Scopes)}
		if !d.Handshake {
			want[name] = entry{want[name].Sections, want[name].Scopes + ", no WebSocket"}
		}
	}
	for _, r := range rows(t, gatewayPage, "policy") {
		for _, name := range spans(r.cells[0]) {
			if len(r.cells) != 4 {
				t.Fatalf("%s:%d: a row has a policy, its sections, its scopes and what it takes", gatewayPage, r.line)
			}
			got[name] = entry{r.cells[1], r.cells[2]}
		}
	}
	for _, r := range rows(t, gatewayPage, "refused") {
		for _, name := range spans(r.cells[0]) {
			listed[name] = true
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("policies (-code +page):\n%s", diff)
	}
	if diff := cmp.Diff(refused, listed); diff != "" {
		t.Errorf("refused policies (-code +page):\n%s", diff)
	}
}

func sectionLetters(s policy.Section) string {
	letters := ""
	for _, one := range []struct {
		section policy.Section
		letter  string
	}{{policy.Inbound, "I"}, {policy.Backend, "B"}, {policy.Outbound, "O"}, {policy.OnError, "E"}} {
		if s&one.section != 0 {
			letters += one.letter
		}
	}
	return letters
}

func scopeWords(s policy.Scope) string {
	if s == policy.AnyScope {
		return "all"
	}
	var words []string
	for _, one := range []struct {
		scope policy.Scope
		word  string
	}{{policy.Global, "global"}, {policy.ProductScope, "product"}, {policy.APIScope, "API"}, {policy.OperationScope, "operation"}} {
		if s&one.scope != 0 {
			words = append(words, one.word)
		}
	}
	return strings.Join(words, ", ")
}

// TestPolicyExamplesCompile checks each XML block of the manual as a gateway would.
func TestPolicyExamplesCompile(t *testing.T) {
	t.Parallel()
	count := 0
	for _, name := range manual(t) {
		for _, b := range blocks(t, name) {
			if b.language != "xml" {
				continue
			}
			count++
			for _, fault := range apim.CheckPolicy(b.text, apim.CheckOptions{Format: resource.PolicyRawXML}) {
				t.Errorf("%s: %v", b, fault)
			}
		}
	}
	if count == 0 {
		t.Error("the manual has no policy document")
	}
}

// series is the name of a metric in the code.
var series = regexp.MustCompile(`"((?:signalr|apim|hubgate)_[a-z_]+(?:_total|_count|_sum|_seconds|_flight|_info))"`)

// TestMetricNames holds the tables of metrics against the names in the code, both ways.
func TestMetricNames(t *testing.T) {
	t.Parallel()
	inCode, inPages := make(map[string]bool), make(map[string]bool)
	for _, f := range readGoFiles(t) {
		if f.test {
			continue
		}
		text, ok := readText(t, f.name)
		if !ok {
			continue
		}
		for _, found := range series.FindAllStringSubmatch(text, -1) {
			inCode[found[1]] = true
		}
	}
	for _, name := range []string{configurationPage, gatewayPage, "docs/signalr.md"} {
		for _, r := range rows(t, name, "series") {
			for _, text := range spans(r.cells[0]) {
				if text, _, _ = strings.Cut(text, "{"); !strings.Contains(text, "…") {
					inPages[text] = true
				}
			}
		}
	}
	if len(inCode) < 5 {
		t.Fatalf("found only %d metrics in the code", len(inCode))
	}
	if diff := cmp.Diff(inCode, inPages); diff != "" {
		t.Errorf("metrics (-code +pages):\n%s", diff)
	}
}

// importPaths are the packages that the Go blocks of the manual may use, by name.
var importPaths = map[string]string{
	"appserver": module + "/appserver", "context": "context", "errors": "errors", "http": "net/http", "iter": "iter", "log": "log",
	"os": "os", "signal": "os/signal", "slog": "log/slog", "syscall": "syscall", "time": "time", "management": module + "/appserver/management",
}

var qualified = regexp.MustCompile(`\b([a-z]+)\.[A-Z]`)

// TestGoExamplesCompile lets the compiler check the Go blocks of the manual. The blocks of a page are one package; one that is no declaration is
// the body of a function.
func TestGoExamplesCompile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	overlay := struct{ Replace map[string]string }{make(map[string]string)}
	var packages []string
	for _, name := range manual(t) {
		folder := filepath.Join(root(t), "docs", "example", strings.TrimSuffix(filepath.Base(name), ".md"))
		count := 0
		for _, b := range blocks(t, name) {
			if b.language != "go" {
				continue
			}
			var used []string
			for _, found := range qualified.FindAllStringSubmatch(b.text, -1) {
				if path := importPaths[found[1]]; path != "" && !slices.Contains(used, path) {
					used = append(used, path)
				}
			}
			source := "package example\n\n"
			for _, path := range used {
				source += "import " + strconv.Quote(path) + "\n"
			}
			text := b.text
			if _, err := parser.ParseFile(token.NewFileSet(), "", "package example\n"+text, 0); err != nil {
				text = "func _() {\n" + text + "}\n"
			}
			count++
			written := filepath.Join(dir, fmt.Sprintf("%s%d.go", filepath.Base(name), count))
			if err := os.WriteFile(written, []byte(source+fmt.Sprintf("//line %s:%d\n", filepath.Base(name), b.line)+text), 0o600); err != nil {
				t.Fatal(err)
			}
			overlay.Replace[filepath.Join(folder, fmt.Sprintf("block%d.go", count))] = written
		}
		if count > 0 {
			packages = append(packages, "./docs/example/"+filepath.Base(folder))
		}
	}
	if len(packages) == 0 {
		t.Fatal("the manual has no Go blocks")
	}
	data, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", append([]string{"build", "-overlay", file}, packages...)...)
	build.Dir = root(t)
	if out, err := build.CombinedOutput(); err != nil {
		t.Errorf("go build: %v\n%s", err, bytes.ReplaceAll(out, []byte(dir), nil))
	}
}

// link is a link to a file of the project.
var link = regexp.MustCompile(`\]\(([^)#:\s]+)(#[^)\s]*)?\)`)

// TestLinks follows the links of the manual to other files, and to the headings of pages.
func TestLinks(t *testing.T) {
	t.Parallel()
	for _, name := range manual(t) {
		for _, found := range link.FindAllStringSubmatch(page(t, name), -1) {
			target := filepath.ToSlash(filepath.Join(filepath.Dir(name), found[1]))
			if !exists(filepath.Join(root(t), filepath.FromSlash(target))) {
				t.Errorf("%s has a link to %s, which is not there", name, found[1])
				continue
			}
			if found[2] != "" && !slices.Contains(anchors(page(t, target)), found[2]) {
				t.Errorf("%s has a link to %s%s, and there is no such heading", name, found[1], found[2])
			}
		}
		for _, found := range regexp.MustCompile(`\]\((#[^)\s]*)\)`).FindAllStringSubmatch(page(t, name), -1) {
			if !slices.Contains(anchors(page(t, name)), found[1]) {
				t.Errorf("%s has a link to %s, and there is no such heading", name, found[1])
			}
		}
	}
}

// anchors are the headings of a page as links name them.
func anchors(text string) []string {
	var all []string
	for _, found := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(text, -1) {
		anchor := regexp.MustCompile(`[^a-z0-9 _-]`).ReplaceAllString(strings.ToLower(found[1]), "")
		all = append(all, "#"+strings.ReplaceAll(anchor, " ", "-"))
	}
	return all
}

// testName is the name of a test in a column that says how something was checked.
var testName = regexp.MustCompile(`^(?:Test|Fuzz|Example)[A-Z]\w*$`)

// TestCompatibilityNamesTests looks for each test that the page of compatibility names: a claim that nothing checks any more is none.
func TestCompatibilityNamesTests(t *testing.T) {
	t.Parallel()
	tests := make(map[string]bool)
	for _, f := range readGoFiles(t) {
		if !f.test {
			continue
		}
		text, ok := readText(t, f.name)
		if !ok {
			continue
		}
		for _, found := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Example)[A-Z]\w*)\(`).FindAllStringSubmatch(text, -1) {
			tests[found[1]] = true
		}
	}
	count := 0
	for i, line := range strings.Split(page(t, compatibilityPage), "\n") {
		for _, name := range spans(line) {
			if !testName.MatchString(name) {
				continue
			}
			if count++; !tests[name] {
				t.Errorf("%s:%d: there is no test %s", compatibilityPage, i+1, name)
			}
		}
	}
	if count < 50 {
		t.Errorf("%s names only %d tests", compatibilityPage, count)
	}
	listed := make(map[string]bool)
	for _, r := range rows(t, compatibilityPage, "policy") {
		for _, name := range spans(r.cells[0]) {
			listed[name] = true
		}
		for _, pattern := range spans(r.cells[2]) {
			found, err := filepath.Glob(filepath.Join(root(t), "internal", "gateway", "testdata", "policies", pattern+".txtar"))
			if err != nil || len(found) == 0 {
				t.Errorf("%s:%d: there are no golden pairs %s", compatibilityPage, r.line, pattern)
			}
		}
	}
	for name, d := range policy.Policies() {
		if d.New != nil && !listed[name] {
			t.Errorf("%s does not list the policy %s", compatibilityPage, name)
		}
	}
	for _, r := range rows(t, compatibilityPage, "#") {
		state := r.cells[2]
		if state != "yes" && state != "partly" && state != "no" {
			t.Errorf("%s:%d: the state is yes, partly or no, not %q", compatibilityPage, r.line, state)
		}
		if len(r.cells) != 4 || state != "no" && r.cells[3] == "" {
			t.Errorf("%s:%d: a feature says how it was checked", compatibilityPage, r.line)
		}
	}
}
