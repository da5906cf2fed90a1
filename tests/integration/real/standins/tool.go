package main

import (
	"fmt"
	"os"
)

var tool, version string

func main() {
	for _, argument := range os.Args[1:] {
		if argument == "--version" || argument == "version" {
			fmt.Printf("%s version %s (stand-in)\n", tool, version)
			return
		}
	}
	fmt.Fprintf(os.Stderr, "%s: a stand-in made for tests, it knows --version only\n", tool)
	os.Exit(2)
}
