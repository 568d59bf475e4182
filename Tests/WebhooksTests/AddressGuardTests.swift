import Foundation
import TestSupport
import Testing
import Webhooks

@Suite("Where webhooks may go") struct AddressGuardTests {
    @Test(
        "Addresses that aren't the internet's are known as such",
        arguments: [
            "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "169.254.169.254",
            "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1",
            "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1",
            "255.255.255.255", "::", "::2", "::7f00:1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0.0.0.0",
            "64:ff9b::10.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1",
            "2002:7f00:1::", "2002:a00:1::", "3fff::1", "5f00::1", "fc00::1", "fd12:3456::1", "fe80::1", "febf::1",
            "fec0::1", "ff02::1",
        ])
    func restricted(text: String) throws { #expect(try #require(IPAddress(text)).reach == .restricted) }

    @Test("This machine is known in all its forms", arguments: ["127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1"])
    func loopback(text: String) throws { #expect(try #require(IPAddress(text)).reach == .loopback) }

    @Test(
        "The internet begins where they end",
        arguments: [
            "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.1",
            "169.253.255.255", "172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0", "198.17.255.255",
            "198.20.0.0", "223.255.255.255", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1", "2606:4700::1111",
            "2a00:1450:4001::1", "2001:4860:4860::8888",
        ])
    func global(text: String) throws { #expect(try #require(IPAddress(text)).reach == .global) }

    @Test(
        "Only the usual form is an address", arguments: ["127.1", "0x7f000001", "2130706433", "[::1]", "fe80::1%1", ""])
    func forms(text: String) { #expect(IPAddress(text) == nil) }

    @Test("An address is written as it is read", arguments: ["192.0.2.1", "2001:db8::1", "::1"])
    func description(text: String) { #expect(IPAddress(text)?.description == text) }

    @Test("One bad address of several is enough") func mixed() async throws {
        let url = try WebhookURL("https://merchant.example/hooks")
        let mixed = AddressGuard(allowing: .loopback) { _ in [.v4(0x0101_0101), .v4(0x0A00_0001)] }
        await #expect(throws: AddressGuard.Refused(host: "merchant.example", address: .v4(0x0A00_0001))) {
            try await mixed.addresses(of: url)
        }
        let good = AddressGuard(allowing: .none) { _ in [.v4(0x0101_0101)] }
        #expect(try await good.addresses(of: url) == [.v4(0x0101_0101)])
    }

    @Test(
        "What is allowed beside the internet is configured",
        arguments: [("http://127.0.0.1/", true), ("http://[::1]:8080/", true), ("http://10.0.0.1/", false)])
    func exceptions(text: String, isLoopback: Bool) async throws {
        let url = try WebhookURL(text)
        await #expect(throws: AddressGuard.Refused.self) { try await AddressGuard(allowing: .none).addresses(of: url) }
        #expect(try await AddressGuard(allowing: .all).addresses(of: url).count == 1)
        let answer = try? await AddressGuard(allowing: .loopback).addresses(of: url)
        #expect((answer != nil) == isLoopback)
    }

    @Test(
        "The forms of an address that only the system's resolver knows don't get by",
        arguments: ["http://127.1/", "http://0x7f000001/", "http://2130706433/", "http://0/", "http://localhost/"])
    func oddForms(text: String) async throws {
        let url = try WebhookURL(text)
        await #expect(throws: (any Error).self) { try await AddressGuard(allowing: .none).addresses(of: url) }
    }

    @Test(
        "URLs that could be read in two ways are refused",
        arguments: [
            "", "merchant.example", "ftp://merchant.example/", "http://", "http:///path",
            "http://user@merchant.example/",
            "http://user:secret@merchant.example/", "http://merchant.example:0/", "http://merchant.example:65536/",
            "http://merchant.example/#fragment", "http://merchant.example/\r\nX: y", "http://mer chant.example/",
            "http://merchant%2eexample/", "http://[fe80::1%25eth0]/", "http://exämple.de/", "file:///etc/passwd",
        ])
    func malformed(text: String) { #expect(throws: WebhookURL.Malformed.self) { try WebhookURL(text) } }

    @Test("Others are taken", arguments: ["https://merchant.example/hooks?shop=1", "http://[2001:db8::1]:8080/x"])
    func wellFormed(text: String) throws { #expect(try WebhookURL(text).description == text) }
}
