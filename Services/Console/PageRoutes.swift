import Crypto
import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import ServiceKit

/// The page's files, which are part of the executable, and the addresses of its views.
struct PageRoutes: Sendable {
    private struct File: Sendable {
        let name: String
        let contentType: String
        let bytes: ByteBuffer
        let tag: String

        init(_ name: String, _ contentType: String, _ bytes: [UInt8]) {
            self.name = name
            self.contentType = contentType
            self.bytes = ByteBuffer(bytes: bytes)
            tag = "\"\(HexID.hex(Array(SHA256.hash(data: bytes)).prefix(8)))\""
        }
    }

    private static let script = "text/javascript; charset=utf-8"

    private static let index = File("index.html", "text/html; charset=utf-8", PackageResources.index_html)
    private static let files = [
        File("style.css", "text/css; charset=utf-8", PackageResources.style_css),
        File("icon.svg", "image/svg+xml", PackageResources.icon_svg),
        File("app.js", script, PackageResources.app_js),
        File("dom.js", script, PackageResources.dom_js),
        File("format.js", script, PackageResources.format_js),
        File("api.js", script, PackageResources.api_js),
        File("overview.js", script, PackageResources.overview_js),
        File("shop.js", script, PackageResources.shop_js),
        File("orders.js", script, PackageResources.orders_js),
        File("timeline.js", script, PackageResources.timeline_js),
        File("waterfall.js", script, PackageResources.waterfall_js),
        File("deadletters.js", script, PackageResources.deadletters_js),
        File("mail.js", script, PackageResources.mail_js),
        File("webhooks.js", script, PackageResources.webhooks_js),
    ]

    /// Each is an address of its own, so that it can be kept, sent and opened in another tab.
    private static let views: [RouterPath] = [
        "/", "/shop", "/orders", "/timelines/:id", "/dead-letters", "/mail", "/webhooks",
    ]

    func add(to router: Router<ShopRequestContext>) {
        for view in Self.views { router.get(view) { request, _ in Self.answer(Self.index, to: request) } }
        for file in Self.files {
            router.get(RouterPath("/page/\(file.name)")) { request, _ in Self.answer(file, to: request) }
        }
    }

    private static func answer(_ file: File, to request: Request) -> Response {
        let headers: HTTPFields = [.contentType: file.contentType, .eTag: file.tag, .cacheControl: "no-cache"]
        if request.headers[.ifNoneMatch] == file.tag { return Response(status: .notModified, headers: headers) }
        return Response(status: .ok, headers: headers, body: .init(byteBuffer: file.bytes))
    }
}
