// The evaluation of policies is left out; no command calls it.

package policy
