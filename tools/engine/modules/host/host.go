// Package host pins the last Go module that still holds Pulumi's Python language host.
package host

import _ "github.com/pulumi/pulumi/sdk/v3/python/cmd/pulumi-language-python"
