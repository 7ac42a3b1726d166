// Package actionlint pins the linter of GitHub's workflows, with all it is built from.
package actionlint

import _ "github.com/rhysd/actionlint/cmd/actionlint"
