// Package cli pins the Pulumi engine and its command line to one version, with all it is built from.
package cli

import _ "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
