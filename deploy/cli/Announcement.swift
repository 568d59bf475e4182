import Foundation

/// What is said once all services are ready: where they are, and how to place an order.
struct Announcement: Sendable {
    let entries: [ServiceEntry]
    let addresses: Addresses
    let folder: DataFolder
    /// What `deploy/shop` needs to find this stack.
    let options: String

    func text(readyAfter time: Duration, http: HTTP) async -> String {
        let sku = entries.contains { $0.name == "inventory" } ? await firstProduct(http) : nil
        return text(readyAfter: time, sku: sku)
    }

    func text(readyAfter time: Duration, sku: String?) -> String {
        var lines = [
            "", "The shop is ready after \(time.inSeconds(digits: 2)). Its data is in \(folder.name). Ctrl-C stops it.",
            "",
        ]
        lines += entries.map { entry in
            "  \(entry.processName.padding(toLength: LogLine.nameWidth, withPad: " ", startingAt: 0))  \(addresses.url(of: entry))"
        }
        if let sku, let order = entries.first(where: { $0.name == "order" }) {
            lines += ["", "Place an order:", "", curl(addresses.url(of: order), sku: sku)]
            lines += ["", "or place one and see what each service makes of it:", "", "  deploy/shop order\(options)"]
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private func curl(_ url: String, sku: String) -> String {
        let body =
            #"{"customer":{"id":"ada","email":"ada@example.com"},"#
            + #""items":[{"sku":"\#(sku)","quantity":1}],"paymentMethod":"pm_ok"}"#
        return """
              curl -i \(url)/orders -H 'Content-Type: application/json' \\
                -H "Idempotency-Key: try-$(date +%s)" \\
                -d '\(body)'
            """
    }

    /// What there is to buy; without it there is no command to show, which is no reason to fail.
    private func firstProduct(_ http: HTTP) async -> String? {
        let shop = ShopClient(addresses: addresses, http: http)
        return try? await shop.products().first { $0.available > 0 }?.sku
    }
}
