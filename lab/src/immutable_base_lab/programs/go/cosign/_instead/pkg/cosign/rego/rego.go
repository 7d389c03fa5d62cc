// Package rego stands for cosign's: nobody asks the lab's cosign to evaluate a policy.
package rego

import "errors"

func ValidateJSON([]byte, []string) []error {
	return []error{errors.New("this cosign was built without Rego policies")}
}
