"""What an error of a library, a protocol or a server means, in the tree of `payments.failures`."""
