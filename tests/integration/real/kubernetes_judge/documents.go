package main

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/serializer"
	gates "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/component-base/featuregate"
	_ "k8s.io/kubernetes/pkg/features" // which declare themselves
	kubelet "k8s.io/kubernetes/pkg/kubelet/apis/config"
	kubeletscheme "k8s.io/kubernetes/pkg/kubelet/apis/config/scheme"
	kubeletvalidation "k8s.io/kubernetes/pkg/kubelet/apis/config/validation"
	proxy "k8s.io/kubernetes/pkg/proxy/apis/config"
	proxyscheme "k8s.io/kubernetes/pkg/proxy/apis/config/scheme"
	proxyvalidation "k8s.io/kubernetes/pkg/proxy/apis/config/validation"
)

// documents are the kinds that can be judged.
var documents = map[string]func([]byte) error{
	"KubeletConfiguration":   kubeletDocument,
	"KubeProxyConfiguration": proxyDocument,
}

func kubeletDocument(text []byte) error {
	_, codecs, err := kubeletscheme.NewSchemeAndCodecs(serializer.EnableStrict)
	if err != nil {
		return err
	}
	object, _, err := codecs.UniversalDecoder().Decode(text, nil, nil)
	if err != nil {
		return err
	}
	document, right := object.(*kubelet.KubeletConfiguration)
	if !right {
		return fmt.Errorf("a %T is no KubeletConfiguration", object)
	}
	if err := gates.DefaultMutableFeatureGate.SetFromMap(document.FeatureGates); err != nil {
		return err
	}
	// Up to 1.24 it looks at the program's own gates, from then on at those that it is given.
	switch validate := interface{}(kubeletvalidation.ValidateKubeletConfiguration).(type) {
	case func(*kubelet.KubeletConfiguration) error:
		return validate(document)
	case func(*kubelet.KubeletConfiguration, featuregate.FeatureGate) error:
		return validate(document, gates.DefaultFeatureGate)
	default:
		return fmt.Errorf("ValidateKubeletConfiguration is a %T, which nobody here can call", validate)
	}
}

func proxyDocument(text []byte) error {
	object, _, err := proxyscheme.Codecs.UniversalDecoder().Decode(text, nil, nil)
	if err != nil {
		return err
	}
	document, right := object.(*proxy.KubeProxyConfiguration)
	if !right {
		return fmt.Errorf("a %T is no KubeProxyConfiguration", object)
	}
	if err := gates.DefaultMutableFeatureGate.SetFromMap(document.FeatureGates); err != nil {
		return err
	}
	if problems := proxyvalidation.Validate(document); len(problems) > 0 {
		return problems.ToAggregate()
	}
	return nil
}
