"""What a publication has beyond signature and SBOM: its provenance, and the full SBOM.

A host asks for neither, so none of this is shipped to hosts.
"""
