/// Amazon STS as far as tools ask it who they are.
enum STSOperations {
    static let version = "2011-06-15"
    static let namespace = "https://sts.amazonaws.com/doc/2011-06-15/"

    static func run(_ action: String, _ caller: Caller) throws(AWSError) -> XMLWriter {
        guard action == "GetCallerIdentity" else { throw .unknownOperation(action) }
        var xml = XMLWriter()
        xml.element("Arn", "arn:aws:iam::\(caller.account):root")
        xml.element("UserId", caller.account)
        xml.element("Account", caller.account)
        return xml
    }
}
