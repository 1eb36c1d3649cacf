package expr

import "strings"

// declarations lists the types that expressions may name, from the allow-list of the policy-expressions documentation and what its members need.
// A line is: kind, name with type parameters, and after a colon base class and interfaces; an enum has its values after the colon.
const declarations = `
namespace System
class Object
class ValueType : Object
interface IComparable
interface IComparable<in T>
interface IEquatable<T>
interface IFormattable
interface IConvertible
interface IDisposable
interface IFormatProvider
struct Boolean : ValueType, IComparable, IComparable<bool>, IEquatable<bool>, IConvertible
struct Char : ValueType, IComparable, IComparable<char>, IEquatable<char>, IConvertible
struct SByte : ValueType, IComparable, IComparable<sbyte>, IEquatable<sbyte>, IFormattable, IConvertible
struct Byte : ValueType, IComparable, IComparable<byte>, IEquatable<byte>, IFormattable, IConvertible
struct Int16 : ValueType, IComparable, IComparable<short>, IEquatable<short>, IFormattable, IConvertible
struct UInt16 : ValueType, IComparable, IComparable<ushort>, IEquatable<ushort>, IFormattable, IConvertible
struct Int32 : ValueType, IComparable, IComparable<int>, IEquatable<int>, IFormattable, IConvertible
struct UInt32 : ValueType, IComparable, IComparable<uint>, IEquatable<uint>, IFormattable, IConvertible
struct Int64 : ValueType, IComparable, IComparable<long>, IEquatable<long>, IFormattable, IConvertible
struct UInt64 : ValueType, IComparable, IComparable<ulong>, IEquatable<ulong>, IFormattable, IConvertible
struct Single : ValueType, IComparable, IComparable<float>, IEquatable<float>, IFormattable, IConvertible
struct Double : ValueType, IComparable, IComparable<double>, IEquatable<double>, IFormattable, IConvertible
struct Decimal : ValueType, IComparable, IComparable<decimal>, IEquatable<decimal>, IFormattable, IConvertible
class String : Object, IComparable, IComparable<string>, IEquatable<string>, IConvertible, IEnumerable<char>
class Enum : ValueType, IComparable, IFormattable, IConvertible
class Array : Object
array ArrayOf<T> : Array, IList<T>, IReadOnlyList<T>
struct Nullable<T> : ValueType
class Type : Object
class Delegate : Object
delegate Action
delegate Action<in T1>
delegate Action<in T1, in T2>
delegate Action<in T1, in T2, in T3>
delegate Action<in T1, in T2, in T3, in T4>
delegate Func<out R>
delegate Func<in T1, out R>
delegate Func<in T1, in T2, out R>
delegate Func<in T1, in T2, in T3, out R>
delegate Func<in T1, in T2, in T3, in T4, out R>
delegate Func<in T1, in T2, in T3, in T4, in T5, out R>
delegate Func<in T1, in T2, in T3, in T4, in T5, in T6, out R>
delegate Predicate<in T1>
delegate Comparison<in T1>
delegate Converter<in T1, out R>
struct ValueTuple<T1, T2> : ValueType
struct ValueTuple<T1, T2, T3> : ValueType
struct ValueTuple<T1, T2, T3, T4> : ValueType
struct ValueTuple<T1, T2, T3, T4, T5> : ValueType
struct ValueTuple<T1, T2, T3, T4, T5, T6> : ValueType
struct ValueTuple<T1, T2, T3, T4, T5, T6, T7> : ValueType
class Tuple<T1> : Object
class Tuple<T1, T2> : Object
class Tuple<T1, T2, T3> : Object
class Tuple<T1, T2, T3, T4> : Object
class Tuple<T1, T2, T3, T4, T5> : Object
static Tuple
static Math
static Convert
static BitConverter
static Nullable
class Random : Object
class StringComparer : Object, IEqualityComparer<string>, IComparer<string>
struct Guid : ValueType, IComparable, IComparable<Guid>, IEquatable<Guid>, IFormattable
struct DateTime : ValueType, IComparable, IComparable<DateTime>, IEquatable<DateTime>, IFormattable
struct DateTimeOffset : ValueType, IComparable, IComparable<DateTimeOffset>, IEquatable<DateTimeOffset>, IFormattable
struct TimeSpan : ValueType, IComparable, IComparable<TimeSpan>, IEquatable<TimeSpan>, IFormattable
class TimeZoneInfo : Object
class TimeZone : Object
class Uri : Object
enum UriKind : RelativeOrAbsolute=0 Absolute=1 Relative=2
enum UriPartial : Scheme=0 Authority=1 Path=2 Query=3
enum UriFormat : UriEscaped=1 Unescaped=2 SafeUnescaped=3
flags UriComponents : Scheme=1 UserInfo=2 Host=4 Port=8 SchemeAndServer=13 Path=16 Query=32 PathAndQuery=48 HttpRequestUrl=61 Fragment=64 AbsoluteUri=127 StrongPort=128 HostAndPort=132
enum DateTimeKind : Unspecified=0 Utc=1 -Local=2
enum DayOfWeek : Sunday=0 Monday=1 Tuesday=2 Wednesday=3 Thursday=4 Friday=5 Saturday=6
enum StringComparison : CurrentCulture=0 CurrentCultureIgnoreCase=1 InvariantCulture=2 InvariantCultureIgnoreCase=3 Ordinal=4 OrdinalIgnoreCase=5
flags StringSplitOptions : None=0 RemoveEmptyEntries=1 TrimEntries=2
enum MidpointRounding : ToEven=0 AwayFromZero=1 ToZero=2 ToNegativeInfinity=3 ToPositiveInfinity=4
flags Base64FormattingOptions : None=0 InsertLineBreaks=1
enum TypeCode : Empty=0 Object=1 DBNull=2 Boolean=3 Char=4 SByte=5 Byte=6 Int16=7 UInt16=8 Int32=9 UInt32=10 Int64=11 UInt64=12 Single=13 Double=14 Decimal=15 DateTime=16 String=18
class Exception : Object
class SystemException : Exception
class ApplicationException : Exception
class ArgumentException : SystemException
class ArgumentNullException : ArgumentException
class ArgumentOutOfRangeException : ArgumentException
class ArithmeticException : SystemException
class DivideByZeroException : ArithmeticException
class OverflowException : ArithmeticException
class FormatException : SystemException
class UriFormatException : FormatException
class IndexOutOfRangeException : SystemException
class InvalidCastException : SystemException
class InvalidOperationException : SystemException
class NotImplementedException : SystemException
class NotSupportedException : SystemException
class NullReferenceException : SystemException
class TimeoutException : SystemException
class UnauthorizedAccessException : SystemException
class TimeZoneNotFoundException : Exception
class RankException : SystemException
class ArrayTypeMismatchException : SystemException
namespace System.Globalization
class CultureInfo : Object, IFormatProvider
flags NumberStyles : None=0 AllowLeadingWhite=1 AllowTrailingWhite=2 AllowLeadingSign=4 Integer=7 AllowTrailingSign=8 AllowParentheses=16 AllowDecimalPoint=32 AllowThousands=64 Number=111 AllowExponent=128 Float=167 AllowCurrencySymbol=256 Currency=383 Any=511 AllowHexSpecifier=512 HexNumber=515
flags DateTimeStyles : None=0 AllowLeadingWhite=1 AllowTrailingWhite=2 AllowInnerWhite=4 AllowWhiteSpaces=7 NoCurrentDateDefault=8 AdjustToUniversal=16 AssumeLocal=32 AssumeUniversal=64 RoundtripKind=128
flags TimeSpanStyles : None=0 AssumeNegative=1
namespace System.Collections
interface IEnumerable
interface IEnumerator
namespace System.Collections.Generic
interface IEnumerable<out T> : IEnumerable
interface IEnumerator<out T> : IEnumerator, IDisposable
interface ICollection<T> : IEnumerable<T>
interface IList<T> : ICollection<T>
interface ISet<T> : ICollection<T>
interface IReadOnlyCollection<out T> : IEnumerable<T>
interface IReadOnlyList<out T> : IReadOnlyCollection<T>
interface IDictionary<K, V> : ICollection<KeyValuePair<K, V>>
interface IReadOnlyDictionary<K, V> : IReadOnlyCollection<KeyValuePair<K, V>>
interface IEqualityComparer<in T>
interface IComparer<in T>
struct KeyValuePair<K, V> : ValueType
class List<T> : Object, IList<T>, IReadOnlyList<T>
class Dictionary<K, V> : Object, IDictionary<K, V>, IReadOnlyDictionary<K, V>
class HashSet<T> : Object, ISet<T>, IReadOnlyCollection<T>
class Queue<T> : Object, IReadOnlyCollection<T>
class Stack<T> : Object, IReadOnlyCollection<T>
class KeyNotFoundException : SystemException
static EqualityComparer
class Comparer<T> : Object, IComparer<T>
namespace System.Linq
static Enumerable
interface IGrouping<out K, out E> : IEnumerable<E>
interface IOrderedEnumerable<E> : IEnumerable<E>
class Lookup<K, E> : Object, IEnumerable<IGrouping<K, E>>
interface ILookup<K, E> : IEnumerable<IGrouping<K, E>>
namespace System.Text
class StringBuilder : Object
class Encoding : Object
class UTF8Encoding : Encoding
class ASCIIEncoding : Encoding
class UnicodeEncoding : Encoding
namespace System.IO
class TextReader : Object, IDisposable
class TextWriter : Object, IDisposable
class StringReader : TextReader
class StringWriter : TextWriter
namespace System.Net
static WebUtility
class IPAddress : Object
enum HttpStatusCode : Continue=100 OK=200 Created=201 Accepted=202 NoContent=204 MovedPermanently=301 Found=302 NotModified=304 BadRequest=400 Unauthorized=401 Forbidden=403 NotFound=404 MethodNotAllowed=405 Conflict=409 Gone=410 InternalServerError=500 NotImplemented=501 BadGateway=502 ServiceUnavailable=503 GatewayTimeout=504
namespace System.Net.Sockets
enum AddressFamily : Unspecified=0 InterNetwork=2 InterNetworkV6=23
namespace System.Text.RegularExpressions
class Regex : Object
class Capture : Object
class Group : Capture
class Match : Group
class CaptureCollection : Object, IReadOnlyList<Capture>
class GroupCollection : Object, IReadOnlyList<Group>
class MatchCollection : Object, IReadOnlyList<Match>
delegate MatchEvaluator
flags RegexOptions : None=0 IgnoreCase=1 Multiline=2 ExplicitCapture=4 Compiled=8 Singleline=16 IgnorePatternWhitespace=32 RightToLeft=64 ECMAScript=256 CultureInvariant=512
class RegexParseException : ArgumentException
class RegexMatchTimeoutException : TimeoutException
namespace System.Security.Cryptography
class HashAlgorithm : Object, IDisposable
class KeyedHashAlgorithm : HashAlgorithm
class HMAC : KeyedHashAlgorithm
class HMACMD5 : HMAC
class HMACSHA1 : HMAC
class HMACSHA256 : HMAC
class HMACSHA384 : HMAC
class HMACSHA512 : HMAC
class MD5 : HashAlgorithm
class SHA1 : HashAlgorithm
class SHA256 : HashAlgorithm
class SHA384 : HashAlgorithm
class SHA512 : HashAlgorithm
class SHA1Managed : SHA1
class SHA256Managed : SHA256
class SHA384Managed : SHA384
class SHA512Managed : SHA512
class RandomNumberGenerator : Object, IDisposable
class RNGCryptoServiceProvider : RandomNumberGenerator
class AsymmetricAlgorithm : Object, IDisposable
class RSA : AsymmetricAlgorithm
class SymmetricAlgorithm : Object, IDisposable
class RSASignaturePadding : Object
class RSAEncryptionPadding : Object
struct HashAlgorithmName : ValueType
enum CipherMode : CBC=1 ECB=2
enum PaddingMode : None=1 PKCS7=2 Zeros=3
class CryptographicException : SystemException
namespace System.Security.Cryptography.X509Certificates
class X509Certificate : Object, IDisposable
class X509Certificate2 : X509Certificate
class X500DistinguishedName : Object
class PublicKey : Object
static RSACertificateExtensions
enum X509NameType : SimpleName=0 EmailName=1 UpnName=2 DnsName=3 DnsFromAlternativeName=4 UrlName=5
enum X509ContentType : Unknown=0 Cert=1 SerializedCert=2 Pfx=3
namespace System.Xml
enum XmlNodeType : None=0 Element=1 Attribute=2 Text=3 CDATA=4 ProcessingInstruction=7 Comment=8 Document=9 DocumentType=10 Whitespace=13 SignificantWhitespace=14 EndElement=15
class XmlException : SystemException
namespace System.Xml.Linq
class XObject : Object
class XNode : XObject
class XContainer : XNode
class XElement : XContainer
class XDocument : XContainer
class XAttribute : XObject
class XText : XNode
class XCData : XText
class XComment : XNode
class XProcessingInstruction : XNode
class XDocumentType : XNode
class XDeclaration : Object
class XName : Object
class XNamespace : Object
static Extensions
class XNodeEqualityComparer : Object
flags SaveOptions : None=0 DisableFormatting=1 OmitDuplicateNamespaces=2
flags LoadOptions : None=0 PreserveWhitespace=1 SetBaseUri=2 SetLineInfo=4
namespace Newtonsoft.Json
static JsonConvert
enum Formatting : None=0 Indented=1
class JsonSerializerSettings : Object
enum NullValueHandling : Include=0 Ignore=1
enum DefaultValueHandling : Include=0 Ignore=1 Populate=2 IgnoreAndPopulate=3
enum DateParseHandling : None=0 DateTime=1 DateTimeOffset=2
enum DateFormatHandling : IsoDateFormat=0 MicrosoftDateFormat=1
enum DateTimeZoneHandling : Local=0 Utc=1 Unspecified=2 RoundtripKind=3
enum FloatParseHandling : Double=0 Decimal=1
class JsonException : Exception
class JsonReaderException : JsonException
class JsonWriterException : JsonException
class JsonSerializationException : JsonException
namespace Newtonsoft.Json.Linq
class JToken : Object, IEnumerable<JToken>
class JContainer : JToken, IList<JToken>
class JObject : JContainer, IDictionary<string, JToken>
class JArray : JContainer
class JProperty : JContainer
class JConstructor : JContainer
class JValue : JToken, IComparable, IFormattable
class JRaw : JValue
struct JEnumerable<T> : ValueType, IEnumerable<T>
static TokenExtensions
enum JTokenType : None=0 Object=1 Array=2 Constructor=3 Property=4 Comment=5 Integer=6 Float=7 String=8 Boolean=9 Null=10 Undefined=11 Date=12 Raw=13 Bytes=14 Guid=15 Uri=16 TimeSpan=17
enum MergeArrayHandling : Concat=0 Union=1 Replace=2 Merge=3
enum MergeNullValueHandling : Ignore=0 Merge=1
class JsonMergeSettings : Object
class JsonSelectSettings : Object
namespace Proxy
interface IProxyRequestContext
interface IApi
interface ISubscriptionKeyParameterNames
interface IDeployment
interface IGateway
interface ILastError
interface IOperation
interface IProduct
interface IRequest
interface IResponse
interface ISubscription
interface IUser
interface IGroup
interface IUserIdentity
interface IUrl
interface IMessageBody
interface IPrivateEndpointConnection
interface IHeaders : IReadOnlyDictionary<string, string[]>
interface IVariables : IReadOnlyDictionary<string, object>
class Jwt : Object
class BasicAuthCredentials : Object
enum ProductState : NotPublished=0 Published=1
static ContextExtensions
`

// hidden are types that the library needs and expressions cannot name.
const hidden = " ArrayOf TokenExtensions ContextExtensions IHeaders IVariables IProxyRequestContext EqualityComparer IGateway IDeployment ILastError "

// declareTypes creates all types, then their bases.
func (b *library) declareTypes() {
	e := b.env
	type header struct {
		t    *netType
		rest string
	}
	var headers []header
	for line := range strings.Lines(declarations) {
		kind, rest, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok {
			continue
		}
		if kind == "namespace" {
			b.space = rest
			for s := rest; s != ""; s = s[:max(strings.LastIndexByte(s, '.'), 0)] {
				e.namespaces[s] = true
			}
			continue
		}
		name, bases, _ := strings.Cut(rest, " : ")
		headers = append(headers, header{b.declare(kind, name), bases})
	}
	for p, name := range map[primitive]string{
		primBool: "Boolean", primChar: "Char", primSByte: "SByte", primByte: "Byte", primShort: "Int16", primUShort: "UInt16", primInt: "Int32",
		primUInt: "UInt32", primLong: "Int64", primULong: "UInt64", primFloat: "Single", primDouble: "Double", primDecimal: "Decimal",
		primString: "String", primObject: "Object",
	} {
		t := e.named(name)
		t.prim = p
		e.primitives[p] = t
	}
	e.array, e.nullable, e.enumerable, e.exception = e.generic("ArrayOf", 1), e.generic("Nullable", 1), e.generic("IEnumerable", 1), e.named("Exception")
	for _, h := range headers {
		b.declareBases(h.t, h.rest)
	}
	for n := 2; n <= 7; n++ {
		e.tuples[n] = e.generic("ValueTuple", n)
		e.tuples[n].kind = tupleKind
	}
	b.declareDelegates()
	delete(e.types, "ArrayOf")
}

// declare creates a type from its kind and name.
func (b *library) declare(kind, name string) *netType {
	t := &netType{space: b.space}
	t.def = t
	switch kind {
	case "class":
	case "static":
		t.static = true
	case "struct":
		t.kind = structKind
		if strings.HasPrefix(name, "Nullable<") {
			t.kind = nullableKind
		}
	case "interface":
		t.kind = interfaceKind
	case "enum", "flags":
		t.kind = enumKind
		t.values = &enumValues{flags: kind == "flags"}
	case "delegate":
		t.kind = delegateKind
	case "array":
		t.kind = arrayKind
	default:
		panic("unknown declaration: " + kind)
	}
	name, list, _ := strings.Cut(name, "<")
	t.name = name
	for p := range strings.SplitSeq(strings.TrimSuffix(list, ">"), ", ") {
		if p == "" {
			continue
		}
		variance := byte(' ')
		if rest, ok := strings.CutPrefix(p, "out "); ok {
			p, variance = rest, '+'
		} else if rest, ok := strings.CutPrefix(p, "in "); ok {
			p, variance = rest, '-'
		}
		g := &netType{kind: parameterKind, name: p}
		g.def = g
		t.parameters = append(t.parameters, g)
		t.variance = append(t.variance, variance)
	}
	b.env.types[name] = append(b.env.types[name], t)
	full := b.space + "." + name
	if b.space == "Proxy" {
		t.space = ""
		full = name
	}
	b.env.full[full] = append(b.env.full[full], t)
	return t
}

// declareBases reads what stands after the colon.
func (b *library) declareBases(t *netType, rest string) {
	if t.values != nil {
		for pair := range strings.FieldsSeq(rest) {
			name, number, _ := strings.Cut(pair, "=")
			if rest, ok := strings.CutPrefix(name, "-"); ok {
				// A value that expressions may meet but not name.
				name, t.values.unnamed = rest, rest
			}
			t.values.names = append(t.values.names, name)
			t.values.values = append(t.values.values, int64(parseSmall(number)))
		}
		t.base = b.env.named("Enum")
		return
	}
	if rest == "" {
		if t.kind == classKind && t.name != "Object" && !t.static {
			t.base = b.env.named("Object")
		}
		return
	}
	r := newParser(rest)
	for {
		base := b.typeIn(r.parseType(), t.parameters)
		if base.kind == interfaceKind {
			t.interfaces = append(t.interfaces, base)
		} else {
			t.base = base
		}
		if !r.accept(",") {
			break
		}
	}
}

// parseSmall reads a non-negative decimal number of a declaration.
func parseSmall(s string) int {
	n := 0
	for _, c := range s {
		n = n*10 + int(c-'0')
	}
	return n
}

// declareDelegates gives the delegates their signatures.
func (b *library) declareDelegates() {
	e := b.env
	for _, list := range e.types {
		for _, t := range list {
			if t.kind != delegateKind {
				continue
			}
			t.base = e.named("Delegate")
			t.invoke = &member{name: "Invoke", owner: t, result: e.void}
			inputs := t.parameters
			switch t.name {
			case "Func", "Converter":
				t.invoke.result = inputs[len(inputs)-1]
				inputs = inputs[:len(inputs)-1]
			case "Predicate":
				t.invoke.result = e.primitives[primBool]
			case "Comparison":
				t.invoke.result = e.primitives[primInt]
				inputs = []*netType{inputs[0], inputs[0]}
			case "MatchEvaluator":
				t.invoke.result = e.primitives[primString]
				inputs = []*netType{e.named("Match")}
			}
			for i, p := range inputs {
				t.invoke.parameters = append(t.invoke.parameters, parameter{name: "arg" + itoa(i+1), typ: p})
			}
			if t.name == "Func" {
				e.functions[len(t.parameters)] = t
			}
			if t.name == "Action" {
				e.actions[len(t.parameters)] = t
			}
		}
	}
}
