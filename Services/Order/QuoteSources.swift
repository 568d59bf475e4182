import AsyncHTTPClient
import Contracts
import Foundation
import Messaging
import NIOCore

/// Asks over the broker, and gets the answer on the reply queue.
struct QuoteRequests: QuoteSource {
    let requester: Requester

    func ask(for part: Gathering.Part, of question: QuoteQuestion, until expiry: Date) async -> Gathering.Event {
        do {
            let subject = question.customer.rawValue
            switch part {
            case .availability:
                return .answered(
                    .availability(
                        try await requester.ask(
                            CheckAvailability(question), of: .inventoryRequests, about: subject, until: expiry)))
            case .discount:
                return .answered(
                    .discount(
                        try await requester.ask(
                            CalculateDiscount(question), of: .loyaltyRequests, about: subject, until: expiry)))
            case .fee:
                return .answered(
                    .fee(
                        try await requester.ask(
                            CalculateFee(question), of: .paymentRequests, about: subject, until: expiry)))
            }
        } catch Requester.Failure.refused(let reason) {
            return .failed(part, .refused(reason))
        } catch {
            return .failed(part, .unreachable("The broker doesn't take the question for \(part.service)."))
        }
    }
}

/// Asks over HTTP.
struct QuoteCalls: QuoteSource {
    let http: HTTPClient
    /// The base URLs of the services.
    let addresses: [Gathering.Part: URL]

    private static let largestAnswer = 64 * 1024
    /// Longer than any quote may take, so that it is the deadline of the quote that ends a call.
    private static let patience = TimeAmount.seconds(10)

    func ask(for part: Gathering.Part, of question: QuoteQuestion, until expiry: Date) async -> Gathering.Event {
        do {
            switch part {
            case .availability:
                return .answered(.availability(try await post(CheckAvailability(question), part, "availability")))
            case .discount: return .answered(.discount(try await post(CalculateDiscount(question), part, "discount")))
            case .fee: return .answered(.fee(try await post(CalculateFee(question), part, "fee")))
            }
        } catch let refused as Refused {
            return .failed(part, .refused(refused.reason))
        } catch {
            return .failed(part, .unreachable("\(part.service) doesn't answer at its address."))
        }
    }

    private struct Refused: Error {
        let reason: String
    }

    private struct Problem: Decodable {
        let detail: String
    }

    private func post<Question: RequestPayload>(
        _ question: Question, _ part: Gathering.Part, _ path: String
    ) async throws -> Question.Reply {
        guard let address = addresses[part] else { throw Refused(reason: "No address of \(part.service) is set.") }
        var request = HTTPClientRequest(url: address.appending(path: path).absoluteString)
        request.method = .POST
        let context = MessageContext.current()
        request.headers = ["content-type": "application/json", "x-correlation-id": context.correlationID]
        if let traceparent = context.traceparent { request.headers.add(name: "traceparent", value: traceparent) }
        request.body = .bytes(ByteBuffer(string: try ContractJSON.encode(question)))
        let response = try await http.execute(request, timeout: Self.patience)
        let body = String(buffer: try await response.body.collect(upTo: Self.largestAnswer))
        guard response.status == .ok else {
            let problem = try? ContractJSON.decode(Problem.self, from: body)
            throw Refused(reason: problem?.detail ?? "\(part.service) answered \(response.status.code).")
        }
        return try ContractJSON.decode(from: body)
    }
}

// The parts of the question that each service is told.

extension CheckAvailability {
    fileprivate init(_ question: QuoteQuestion) {
        self.init(items: question.basket.lines.map { Item(sku: $0.sku, quantity: $0.quantity) })
    }
}

extension CalculateDiscount {
    fileprivate init(_ question: QuoteQuestion) {
        self.init(customerId: question.customer, total: question.basket.total)
    }
}

extension CalculateFee {
    fileprivate init(_ question: QuoteQuestion) {
        self.init(paymentMethod: question.paymentMethod, total: question.basket.total)
    }
}
