// Package network makes keys of client addresses, by which clients are limited.
package network

import "net/netip"

// Address is the address, or for IPv6 its /64, which is the smallest network that a client
// has.
func Address(ip string) string { return networkKey(ip, 32, 64) }

// Site is the network within which a client can change its address: a /24, or for IPv6 a /48.
func Site(ip string) string { return networkKey(ip, 24, 48) }

// Provider is the network of a provider: a /16, or for IPv6 a /32.
func Provider(ip string) string { return networkKey(ip, 16, 32) }

// networkKey is the network of that many bits that an IPv4 or an IPv6 address is in.
func networkKey(ip string, v4, v6 int) string {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return ip
	}
	bits := v6
	if addr = addr.WithZone("").Unmap(); addr.Is4() {
		bits = v4
	}
	prefix, err := addr.Prefix(bits)
	if err != nil {
		return addr.String()
	}
	return prefix.String()
}
