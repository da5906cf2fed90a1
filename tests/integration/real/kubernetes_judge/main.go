// kubernetes_judge holds what we write for Kubernetes' programs against the release that it is compiled from.
//
//	kubernetes_judge KubeletConfiguration <DOCUMENT      decodes strictly, sets its feature gates, validates
//	kubernetes_judge KubeProxyConfiguration <DOCUMENT
//	kubernetes_judge kube-apiserver ARGUMENT...          parses as that program does (flags.go says which)
//
// What it finds wrong it prints, and ends with 1.
package main

import (
	"fmt"
	"io"
	"os"
)

func main() {
	if err := judge(os.Args[1], os.Args[2:]); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func judge(what string, arguments []string) error {
	check, known := documents[what]
	if !known {
		return parse(what, arguments)
	}
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	return check(text)
}
