/// Amazon STS as far as tools ask it who they are.
enum STSOperations {
    static let version = "2011-06-15"
    static let namespace = "https://sts.amazonaws.com/doc/2011-06-15/"

    /// - Parameter accessKeyID: the key that the request was signed with; `nil` where everybody may come in.
    static func run(_ action: String, _ caller: Caller, accessKeyID: String?) throws(AWSError) -> XMLWriter {
        guard action == "GetCallerIdentity" else { throw .unknownOperation(action) }
        var xml = XMLWriter()
        xml.element("Arn", "arn:aws:iam::\(caller.account):\(accessKeyID.map { "user/\($0)" } ?? "root")")
        xml.element("UserId", accessKeyID ?? caller.account)
        xml.element("Account", caller.account)
        return xml
    }
}
