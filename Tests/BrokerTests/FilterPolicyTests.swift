import Foundation
import Testing

@testable import Broker

struct FilterPolicyTests {
    private let attributes: [String: MessageAttribute] = [
        "store": .init(type: "String", value: .text("example_corp")),
        "event": .init(type: "String", value: .text("order_placed")),
        "price": .init(type: "Number", value: .text("210.75")),
        "interests": .init(type: "String.Array", value: .text(#"["soccer","rugby",7,true]"#)),
        "address": .init(type: "String", value: .text("10.0.3.7")),
        "picture": .init(type: "Binary", value: .binary(Data([1]))),
    ]

    @Test(arguments: [
        (#"{"store":["example_corp"]}"#, true),
        (#"{"store":["other","example_corp"]}"#, true),
        (#"{"store":["example_corp"],"event":["order_cancelled"]}"#, false),
        (#"{"missing":["x"]}"#, false),
        (#"{"event":[{"prefix":"order_"}]}"#, true),
        (#"{"event":[{"suffix":"_placed"}]}"#, true),
        (#"{"event":[{"suffix":"_cancelled"}]}"#, false),
        (#"{"event":[{"equals-ignore-case":"ORDER_PLACED"}]}"#, true),
        (#"{"event":[{"wildcard":"o*r_*ed"}]}"#, true),
        (#"{"event":[{"wildcard":"o*x"}]}"#, false),
        (#"{"event":[{"anything-but":"order_cancelled"}]}"#, true),
        (#"{"event":[{"anything-but":["order_placed","x"]}]}"#, false),
        (#"{"event":[{"anything-but":{"prefix":"order_"}}]}"#, false),
        (#"{"event":[{"anything-but":{"suffix":["_x","_y"]}}]}"#, true),
        (#"{"missing":[{"anything-but":"x"}]}"#, false),
        (#"{"price":[{"numeric":["=",210.75]}]}"#, true),
        (#"{"price":[{"numeric":[">",0,"<=",210]}]}"#, false),
        (#"{"price":[210.75]}"#, true),
        (#"{"price":["210.75"]}"#, false),
        (#"{"store":[{"exists":true}]}"#, true),
        (#"{"store":[{"exists":false}]}"#, false),
        (#"{"missing":[{"exists":false}]}"#, true),
        (#"{"picture":[{"exists":true}]}"#, false),
        (#"{"interests":["rugby"]}"#, true),
        (#"{"interests":[7]}"#, true),
        (#"{"interests":["tennis"]}"#, false),
        (#"{"address":[{"cidr":"10.0.0.0/16"}]}"#, true),
        (#"{"address":[{"cidr":"10.0.0.0/23"}]}"#, false),
        (#"{"$or":[{"store":["x"]},{"event":["order_placed"]}]}"#, true),
        (#"{"store":["example_corp"],"$or":[{"event":["x"]},{"event":["y"]}]}"#, false),
    ])
    func onAttributes(policy: String, matches: Bool) throws {
        let filter = try FilterPolicy(policy, scope: .attributes)
        #expect(filter.matches(body: "", attributes: attributes) == matches)
    }

    @Test(arguments: [
        (#"{"order":{"total":[{"numeric":[">",5]}]}}"#, true),
        (#"{"order":{"items":{"sku":["tea"]}}}"#, true),
        (#"{"order":{"items":{"sku":["coffee"]}}}"#, false),
        (#"{"order":{"gift":[true]}}"#, true),
        (#"{"order":{"note":[null]}}"#, true),
        (#"{"order":{"none":[{"exists":false}]}}"#, true),
        (#"{"total":[7]}"#, false),
    ])
    func onBody(policy: String, matches: Bool) throws {
        let filter = try FilterPolicy(policy, scope: .body)
        let body = #"{"order":{"total":7,"gift":true,"note":null,"items":[{"sku":"tea"},{"sku":"cup"}]}}"#
        #expect(filter.matches(body: body, attributes: [:]) == matches)
        #expect(!filter.matches(body: "no json", attributes: attributes))
    }

    @Test(arguments: [
        "{", "[]", #"{"a":"x"}"#, #"{"a":[]}"#, #"{"a":{"b":["x"]}}"#, #"{"a":[{"unknown":1}]}"#,
        #"{"a":[{"prefix":1}]}"#, #"{"a":[{"numeric":["!",1]}]}"#, #"{"a":[{"exists":"yes"}]}"#,
        #"{"a":[{"cidr":"10.0.0.0/33"}]}"#, #"{"$or":[{"a":["x"]}]}"#, #"{"a":[{"prefix":"x","suffix":"y"}]}"#,
    ])
    func malformed(policy: String) {
        #expect(throws: AWSError.self) { try FilterPolicy(policy, scope: .attributes) }
    }

    @Test func aWildcardTakesNoTimeToSpeakOf() {
        let text = String(repeating: "a", count: 5000)
        #expect(!FilterRule.matches(text, "*a*a*a*a*a*a*a*a*b"))
        #expect(FilterRule.matches(text, "*a*a*a*a*a*a*a*a*"))
    }
}
