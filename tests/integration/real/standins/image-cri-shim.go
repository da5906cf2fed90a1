// A stand-in for image-cri-shim, which Debian does not have: it listens where its configuration says and passes every
// call on to the runtime as it is. The original also puts the private registry in front of image names; here that is
// left to the runtime's own mirrors.
package main

import (
	"fmt"
	"io"
	"io/ioutil"
	"log"
	"net"
	"os"
	"strings"
)

var tool, version string

func main() {
	if len(os.Args) != 3 || os.Args[1] != "-f" {
		fmt.Printf("%s version %s (stand-in)\n", tool, version)
		return
	}
	shim, cri := said(os.Args[2], "shim:"), said(os.Args[2], "cri:")
	os.Remove(shim)
	listener, err := net.Listen("unix", shim)
	if err != nil {
		log.Fatal(err)
	}
	for {
		client, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go pass(client, cri)
	}
}

func pass(client net.Conn, cri string) {
	defer client.Close()
	runtime, err := net.Dial("unix", cri)
	if err != nil {
		log.Print(err)
		return
	}
	defer runtime.Close()
	go io.Copy(runtime, client)
	io.Copy(client, runtime)
}

// said returns the word after a key at the start of a line.
func said(path, key string) string {
	text, err := ioutil.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	for _, line := range strings.Split(string(text), "\n") {
		if words := strings.Fields(line); len(words) == 2 && words[0] == key {
			return strings.TrimPrefix(words[1], "unix://")
		}
	}
	log.Fatalf("%s: no %s", path, key)
	return ""
}
