// Keys of Tink are left out: the lab's key is a file.

package signer

import (
	"context"
	"errors"

	"github.com/sigstore/sigstore/pkg/signature"
)

const TinkScheme = "tink"

func NewTinkSigner(context.Context, string, string) (signature.Signer, error) {
	return nil, errors.New("this Rekor was built without Tink")
}
