// Package lambdaemulator pins AWS Lambda's runtime interface emulator, with all it is built from.
package lambdaemulator

import _ "github.com/aws/aws-lambda-runtime-interface-emulator/cmd/aws-lambda-rie"
