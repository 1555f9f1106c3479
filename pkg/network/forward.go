package network

// ForwardChain is a chain of somebody else's that would drop our packets.
type ForwardChain struct {
	Family uint8  `json:"family"`
	Table  string `json:"table"`
	Chain  string `json:"chain"`
}
