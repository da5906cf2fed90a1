// A stand-in for crictl, which Debian does not have: the calls that kubeadm and the scripts of an image make, spoken to
// a real runtime. gRPC is HTTP/2 with five bytes before each message; the messages are those of
// https://github.com/kubernetes/cri-api/blob/release-1.20/pkg/apis/runtime/v1alpha2/api.proto
package main

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io/ioutil"
	"net"
	"net/http"
	"os"
	"strings"

	"golang.org/x/net/http2"
)

var tool, version string

const usage = "[-r ENDPOINT] [-i ENDPOINT] info | pull IMAGE | inspecti IMAGE | pods -q | stopp ID... | rmp ID..."

func main() {
	runtime, images := endpoints("/etc/crictl.yaml")
	var words []string
	for arguments := os.Args[1:]; len(arguments) > 0; arguments = arguments[1:] {
		switch word := arguments[0]; {
		case word == "--version" || word == "version":
			fmt.Printf("%s version %s (stand-in)\n", tool, version)
			return
		case (word == "-r" || word == "-i") && len(arguments) > 1:
			arguments = arguments[1:]
			if word == "-i" || images == "" {
				images = arguments[0]
			}
			if word == "-r" {
				runtime = arguments[0]
			}
		case word != "-q":
			words = append(words, word)
		}
	}
	if err := run(words, runtime, images); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", tool, err)
		os.Exit(1)
	}
}

func run(words []string, runtime, images string) error {
	if len(words) == 0 {
		return fmt.Errorf("usage: %s %s", tool, usage)
	}
	switch words[0] {
	case "info":
		_, err := call(runtime, "RuntimeService/Status", nil)
		return err
	case "pods":
		answer, err := call(runtime, "RuntimeService/ListPodSandbox", nil)
		for _, sandbox := range fields(answer) {
			fmt.Println(string(fields(sandbox)[0]))
		}
		return err
	}
	for _, name := range words[1:] {
		if err := each(words[0], name, runtime, images); err != nil {
			return err
		}
	}
	return nil
}

func each(word, name, runtime, images string) error {
	switch word {
	case "pull":
		_, err := call(images, "ImageService/PullImage", field(field([]byte(name))))
		return err
	case "inspecti":
		answer, err := call(images, "ImageService/ImageStatus", field(field([]byte(name))))
		if err == nil && len(answer) == 0 {
			return fmt.Errorf("no such image %q", name)
		}
		return err
	case "stopp":
		_, err := call(runtime, "RuntimeService/StopPodSandbox", field([]byte(name)))
		return err
	case "rmp":
		_, err := call(runtime, "RuntimeService/RemovePodSandbox", field([]byte(name)))
		return err
	}
	return fmt.Errorf("usage: %s %s", tool, usage)
}

// endpoints reads what crictl's own configuration says; a file that is not there says nothing.
func endpoints(path string) (runtime, images string) {
	text, _ := ioutil.ReadFile(path)
	for _, line := range strings.Split(string(text), "\n") {
		words := strings.Fields(line)
		if len(words) == 2 && words[0] == "runtime-endpoint:" {
			runtime = words[1]
		} else if len(words) == 2 && words[0] == "image-endpoint:" {
			images = words[1]
		}
	}
	return
}

func call(endpoint, method string, message []byte) ([]byte, error) {
	transport := &http2.Transport{
		AllowHTTP: true,
		DialTLS: func(network, address string, config *tls.Config) (net.Conn, error) {
			return net.Dial("unix", strings.TrimPrefix(endpoint, "unix://"))
		},
	}
	frame := make([]byte, 5, 5+len(message))
	binary.BigEndian.PutUint32(frame[1:], uint32(len(message)))
	url := "http://cri/runtime.v1alpha2." + method
	request, err := http.NewRequest("POST", url, bytes.NewReader(append(frame, message...)))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/grpc")
	request.Header.Set("TE", "trailers")
	answer, err := transport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	body, err := ioutil.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	said := answer.Trailer
	if said.Get("Grpc-Status") == "" { // an answer without a message carries them in front
		said = answer.Header
	}
	if said.Get("Grpc-Status") != "0" || len(body) < 5 {
		return nil, fmt.Errorf("%s: %s", method, said.Get("Grpc-Message"))
	}
	return body[5:], nil
}

// field encodes the first field of a message, a string or a message.
func field(value []byte) []byte {
	length := make([]byte, binary.MaxVarintLen64)
	return append(append([]byte{1<<3 | 2}, length[:binary.PutUvarint(length, uint64(len(value)))]...), value...)
}

// fields decodes all first fields of a message; they come before the others.
func fields(message []byte) (found [][]byte) {
	for len(message) > 0 && message[0] == 1<<3|2 {
		length, size := binary.Uvarint(message[1:])
		start := 1 + size
		found = append(found, message[start:start+int(length)])
		message = message[start+int(length):]
	}
	return
}
