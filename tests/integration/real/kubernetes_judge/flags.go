package main

import (
	"fmt"

	"github.com/spf13/pflag"
	gates "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/component-base/cli/flag"
	"k8s.io/component-base/cli/globalflag"
	server "k8s.io/kubernetes/cmd/kube-apiserver/app/options"
	manager "k8s.io/kubernetes/cmd/kube-controller-manager/app/options"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app/options"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app/options"
)

// parse reads the arguments with the flags of a program.
func parse(program string, arguments []string) error {
	known, err := flagsOf(program)
	if err != nil {
		return err
	}
	err = known.ParseAll(arguments, func(given *pflag.Flag, value string) error {
		if given.Name == "feature-gates" {
			// From 1.31 on the flag only keeps what is given, and the running program sets the gates.
			return gates.DefaultMutableFeatureGate.Set(value)
		}
		return given.Value.Set(value)
	})
	if err == nil && known.NArg() > 0 {
		return fmt.Errorf("%s takes no words such as %q", program, known.Args())
	}
	return err
}

func flagsOf(program string) (*pflag.FlagSet, error) {
	all := pflag.NewFlagSet(program, pflag.ContinueOnError)
	all.SetNormalizeFunc(flag.WordSepNormalizeFunc)
	if program == "kubelet" {
		return all, addKubelet(all)
	}
	named, err := namedFlags(program)
	if err != nil {
		return nil, err
	}
	for _, set := range named.FlagSets {
		all.AddFlagSet(set)
	}
	globalflag.AddGlobalFlags(all, program)
	return all, nil
}

func namedFlags(program string) (flag.NamedFlagSets, error) {
	switch program {
	case "kube-apiserver":
		return server.NewServerRunOptions().Flags(), nil
	case "kube-controller-manager":
		options, err := manager.NewKubeControllerManagerOptions()
		if err != nil {
			return flag.NamedFlagSets{}, err
		}
		return managerFlags(options), nil
	case "kube-scheduler":
		return *scheduler.NewOptions().Flags, nil
	default:
		return flag.NamedFlagSets{}, fmt.Errorf("nobody here knows the flags of %s", program)
	}
}

// managerFlags asks as the release wants to be asked: from 1.28 on controllers have names of former releases too. The
// names of the controllers are for the text of --help only.
func managerFlags(options interface{}) flag.NamedFlagSets {
	switch asked := options.(type) {
	case interface {
		Flags([]string, []string) flag.NamedFlagSets
	}:
		return asked.Flags(nil, nil)
	default:
		return options.(interface {
			Flags([]string, []string, map[string]string) flag.NamedFlagSets
		}).Flags(nil, nil, nil)
	}
}

func addKubelet(all *pflag.FlagSet) error {
	configuration, err := kubelet.NewKubeletConfiguration()
	if err != nil {
		return err
	}
	kubelet.NewKubeletFlags().AddFlags(all)
	kubelet.AddKubeletConfigFlags(all, configuration)
	kubelet.AddGlobalFlags(all)
	return nil
}
