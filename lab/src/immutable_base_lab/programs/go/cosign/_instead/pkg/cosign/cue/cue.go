// Package cue stands for cosign's: nobody asks the lab's cosign to evaluate a policy.
package cue

import "errors"

func ValidateJSON([]byte, []string) error {
	return errors.New("this cosign was built without CUE policies")
}
