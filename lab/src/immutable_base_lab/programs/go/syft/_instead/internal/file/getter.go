// Downloading what is to be scanned is left out: the lab scans what lies on the disk. Its library
// brings the clouds' with it, a quarter of all that syft is made of.

package file

import (
	"errors"
	"net/http"

	"github.com/wagoodman/go-progress"

	"github.com/anchore/clio"
)

var errLeftOut = errors.New("this syft was built without downloads")

type Getter interface {
	GetFile(dst, src string, monitor ...*progress.Manual) error
	GetToDir(dst, src string, monitor ...*progress.Manual) error
}

type leftOut struct{}

func NewGetter(clio.Identification, *http.Client) Getter { return leftOut{} }

func (leftOut) GetFile(string, string, ...*progress.Manual) error { return errLeftOut }

func (leftOut) GetToDir(string, string, ...*progress.Manual) error { return errLeftOut }
