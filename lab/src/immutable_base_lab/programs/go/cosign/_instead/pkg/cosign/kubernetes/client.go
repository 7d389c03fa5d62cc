// A client of Kubernetes is left out.

package kubernetes
