// Command tables records the decisions that Kubernetes' own table tests make, as data.
//
//	go run ./hpa/tables OUTPUT
//
// It copies the module k8s.io/kubernetes that go.mod pins into a temporary folder, renames the functions that
// decide so that the wrappers of recorder.go.txt replace them, names the running row in every (sub)test,
// runs the package's own tests, which must pass, and writes the input and the result of every decision: one JSON object
// with the version and the rows. The copy is removed; none of its source is part of the output.
package main

import (
	"bufio"
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const module, folder = "k8s.io/kubernetes", "pkg/controller/podautoscaler"

//go:embed recorder.go.txt
var recorder []byte

// recorded names the functions and methods that recorder.go.txt wraps.
var recorded = map[string]bool{
	"reconcileAutoscaler": true, "convertDesiredReplicasWithRules": true, "stabilizeRecommendation": true,
	"stabilizeRecommendationWithBehaviors": true, "convertDesiredReplicasWithBehaviorRate": true,
	"storeScaleEvent": true, "groupPods": true, "calculateRequests": true,
	"GetResourceReplicas": true, "GetRawResourceReplicas": true, "GetMetricReplicas": true,
	"GetObjectMetricReplicas": true, "GetObjectPerPodMetricReplicas": true, "GetExternalMetricReplicas": true,
	"GetExternalPerPodMetricReplicas":       true,
	"calculateScaleUpLimitWithScalingRules": true, "calculateScaleDownLimitWithBehaviors": true,
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: go run ./hpa/tables OUTPUT")
	}
	if err := run(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func run(output string) error {
	described, err := exec.Command("go", "list", "-m", "-json", module).Output()
	if err != nil {
		return fmt.Errorf("go list -m %s: %w", module, err)
	}
	var pinned struct{ Dir, Version string }
	if err := json.Unmarshal(described, &pinned); err != nil {
		return err
	}
	temporary, err := os.MkdirTemp("", "hpa-tables-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temporary)
	kubernetes := filepath.Join(temporary, "kubernetes")
	if err := copyTree(pinned.Dir, kubernetes); err != nil {
		return err
	}
	if err := instrument(filepath.Join(kubernetes, folder)); err != nil {
		return err
	}
	rows := filepath.Join(temporary, "rows")
	if err := runTests(temporary, kubernetes, rows); err != nil {
		return err
	}
	return write(output, rows, pinned.Version)
}

func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, relative)
		if entry.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, content, 0o644)
	})
}

func instrument(where string) error {
	names, err := filepath.Glob(filepath.Join(where, "*.go"))
	if err != nil {
		return err
	}
	for _, name := range names {
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		if strings.HasSuffix(name, "_test.go") {
			nameRows(file)
		} else {
			rename(file)
		}
		var text bytes.Buffer
		if err := format.Node(&text, set, file); err != nil {
			return err
		}
		if err := os.WriteFile(name, text.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(where, "zz_recorder_test.go"), recorder, 0o644)
}

func rename(file *ast.File) {
	for _, declared := range file.Decls {
		if function, ok := declared.(*ast.FuncDecl); ok && recorded[function.Name.Name] {
			function.Name.Name += "Unrecorded"
		}
	}
}

// nameRows starts every test and subtest with a call that names the row, and takes t.Parallel out: rows are
// recorded one at a time.
func nameRows(file *ast.File) {
	begin := func(body *ast.BlockStmt) {
		call := &ast.ExprStmt{X: &ast.CallExpr{Fun: &ast.CallExpr{Fun: ast.NewIdent("beginRow"), Args: []ast.Expr{ast.NewIdent("t")}}}}
		body.List = append([]ast.Stmt{&ast.DeferStmt{Call: call.X.(*ast.CallExpr)}}, body.List...)
	}
	ast.Inspect(file, func(node ast.Node) bool {
		switch found := node.(type) {
		case *ast.FuncDecl:
			if found.Recv == nil && strings.HasPrefix(found.Name.Name, "Test") {
				begin(found.Body)
			}
		case *ast.CallExpr:
			method, ok := found.Fun.(*ast.SelectorExpr)
			if !ok || method.Sel.Name != "Run" || len(found.Args) != 2 {
				break
			}
			// Benchmarks have subtests of another type.
			if closure, ok := found.Args[1].(*ast.FuncLit); ok && namesT(closure) {
				begin(closure.Body)
			}
		case *ast.BlockStmt:
			kept := found.List[:0]
			for _, statement := range found.List {
				if !isParallel(statement) {
					kept = append(kept, statement)
				}
			}
			found.List = kept
		}
		return true
	})
}

func namesT(closure *ast.FuncLit) bool {
	parameters := closure.Type.Params.List
	return len(parameters) == 1 && len(parameters[0].Names) == 1 && parameters[0].Names[0].Name == "t"
}

func isParallel(statement ast.Stmt) bool {
	expression, ok := statement.(*ast.ExprStmt)
	if !ok {
		return false
	}
	call, ok := expression.X.(*ast.CallExpr)
	if !ok {
		return false
	}
	method, ok := call.Fun.(*ast.SelectorExpr)
	return ok && method.Sel.Name == "Parallel"
}

func runTests(temporary, kubernetes, rows string) error {
	main := filepath.Join(temporary, "main")
	if err := os.Mkdir(main, 0o755); err != nil {
		return err
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		content, err := os.ReadFile(name)
		if err != nil {
			return fmt.Errorf("run it in tests/cluster: %w", err)
		}
		if name == "go.mod" {
			content = append(content, []byte("\nreplace "+module+" => "+kubernetes+"\n")...)
		}
		if err := os.WriteFile(filepath.Join(main, name), content, 0o644); err != nil {
			return err
		}
	}
	// Its autoscalers are reconciled by several workers at once, which rows of one at a time do not allow.
	test := exec.Command("go", "test", "-mod=mod", "-trimpath", "-count=1", "-parallel=1", "-timeout=4m", "-skip=^TestMultipleHPAs$", module+"/"+folder)
	test.Dir = main
	test.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off", "HPA_ROWS="+rows)
	test.Stdout, test.Stderr = os.Stderr, os.Stderr
	return test.Run()
}

func write(output, rows, version string) error {
	source, err := os.Open(rows)
	if err != nil {
		return err
	}
	defer source.Close()
	var text bytes.Buffer
	fmt.Fprintf(&text, "{\"version\": %q, \"rows\": [", version)
	decoder, separator := json.NewDecoder(bufio.NewReader(source)), "\n"
	for {
		var row json.RawMessage
		if err := decoder.Decode(&row); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		text.WriteString(separator)
		text.Write(row)
		separator = ",\n"
	}
	text.WriteString("\n]}\n")
	return os.WriteFile(output, text.Bytes(), 0o644)
}
