// Fills in run-time templates as sealer and sealos do, with Go's own text/template: `template KEY=VALUE... <in >out`.
package main

import (
	"io"
	"log"
	"os"
	"strings"
	"text/template"
)

func main() {
	data := map[string]string{}
	for _, setting := range os.Args[1:] {
		if place := strings.Index(setting, "="); place > 0 {
			data[setting[:place]] = setting[place+1:]
		}
	}
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		log.Fatal(err)
	}
	parsed, err := template.New("stdin").Parse(string(text))
	if err != nil {
		log.Fatal(err)
	}
	if err := parsed.Execute(os.Stdout, data); err != nil {
		log.Fatal(err)
	}
}
