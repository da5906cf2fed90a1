// Merges pairs of JSON documents as sealos merges kubeadm's: into Go structs, by the real mergo.
package main

import (
	"encoding/json"
	"os"

	"github.com/imdario/mergo"
)

type inner struct {
	Size int    `json:"size,omitempty"`
	Name string `json:"name,omitempty"`
}

type document struct {
	Text         string            `json:"text,omitempty"`
	Flag         bool              `json:"flag,omitempty"`
	Count        int               `json:"count,omitempty"`
	Maybe        *bool             `json:"maybe,omitempty"`
	Number       *int32            `json:"number,omitempty"`
	List         []string          `json:"list,omitempty"`
	FeatureGates map[string]bool   `json:"featureGates,omitempty"`
	EvictionHard map[string]string `json:"evictionHard,omitempty"`
	Inner        inner             `json:"inner"`
	Pointed      *inner            `json:"pointed,omitempty"`
}

func main() {
	var pairs [][2]document
	if err := json.NewDecoder(os.Stdin).Decode(&pairs); err != nil {
		panic(err)
	}
	found := []document{}
	for _, pair := range pairs {
		if err := mergo.Merge(&pair[0], &pair[1], mergo.WithOverride, mergo.WithAppendSlice); err != nil {
			panic(err)
		}
		found = append(found, pair[0])
	}
	if err := json.NewEncoder(os.Stdout).Encode(found); err != nil {
		panic(err)
	}
}
