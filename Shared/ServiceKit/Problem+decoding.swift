import Foundation

extension Problem {
    /// Says which member is wrong and what it must be, in words for somebody who doesn't know Swift.
    init(_ error: DecodingError, in body: Data) {
        switch error {
        case .keyNotFound(let key, let context):
            let field = (context.codingPath + [key]).fieldPath
            self = .invalid(field: field, "'\(field)' is missing.")
        case .valueNotFound(_, let context):
            let field = context.codingPath.fieldPath
            self = .invalid(field: field.nilIfEmpty, "\(field.asSubject) must not be null.")
        case .typeMismatch(let type, let context):
            let field = context.codingPath.fieldPath
            self = .invalid(field: field.nilIfEmpty, "\(field.asSubject) must be \(Self.words(for: type)).")
        case .dataCorrupted(let context) where context.codingPath.isEmpty:
            self.init(corrupted: body)
        case .dataCorrupted(let context):
            let field = context.codingPath.fieldPath
            self = .invalid(field: field.nilIfEmpty, "\(field.asSubject) is not valid: \(context.debugDescription)")
        @unknown default:
            self = .malformed("The body can't be read; check it against the service's openapi.yaml.")
        }
    }

    /// Foundation reports two things alike and without a place: what isn't JSON, and a number that doesn't fit the
    /// integer it is read into. A second look tells them apart and finds the number.
    private init(corrupted body: Data) {
        guard let json = try? JSONSerialization.jsonObject(with: body, options: .fragmentsAllowed) else {
            self = .malformed("The body isn't JSON; check its syntax.")
            return
        }
        if let field = pathOfUnfitNumber(in: json) {
            self = .invalid(field: field.nilIfEmpty, "\(field.asSubject) must be a whole number.")
        } else {
            self = .invalid(field: nil, "A number in the body is too large or too small for what it means.")
        }
    }

    private static func words(for type: any Any.Type) -> String {
        switch type {
        case is String.Type: "a string"
        case is Bool.Type: "true or false"
        case is any FixedWidthInteger.Type: "a whole number"
        case is any BinaryFloatingPoint.Type, is Decimal.Type: "a number"
        case is [Any].Type: "a list"
        case is [String: Any].Type: "an object"
        default: "of another type"
        }
    }
}

/// The first number that isn't a whole one of 64 bits.
private func pathOfUnfitNumber(in json: Any, at path: String = "") -> String? {
    switch json {
    case let object as [String: Any]:
        for (key, value) in object.sorted(by: { $0.key < $1.key }) {
            if let found = pathOfUnfitNumber(in: value, at: path.isEmpty ? key : "\(path).\(key)") { return found }
        }
        return nil
    case let array as [Any]:
        for (index, value) in array.enumerated() {
            if let found = pathOfUnfitNumber(in: value, at: "\(path)[\(index)]") { return found }
        }
        return nil
    case let number as NSNumber:
        return Int64(exactly: number.doubleValue) == nil ? path : nil
    default:
        return nil
    }
}

extension [any CodingKey] {
    /// `items[0].sku`
    fileprivate var fieldPath: String {
        self.reduce(into: "") { path, key in
            if let index = key.intValue {
                path += "[\(index)]"
            } else {
                path += path.isEmpty ? key.stringValue : ".\(key.stringValue)"
            }
        }
    }
}

extension String {
    fileprivate var nilIfEmpty: String? { self.isEmpty ? nil : self }
    fileprivate var asSubject: String { self.isEmpty ? "The body" : "'\(self)'" }
}
