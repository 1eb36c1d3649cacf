package expr

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des" //nolint:gosec // policies may name TripleDES for old partners.
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // the allow-list names MD5.
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // the allow-list names SHA1.
	"crypto/sha256"
	"crypto/sha512"
	"hash"
	"strings"
)

// hashes are the algorithms that expressions may name.
var hashes = map[string]func() hash.Hash{"MD5": md5.New, "SHA1": sha1.New, "SHA256": sha256.New, "SHA384": sha512.New384, "SHA512": sha512.New}

// hashIDs are the identifiers of the algorithms for signatures.
var hashIDs = map[string]crypto.Hash{"MD5": crypto.MD5, "SHA1": crypto.SHA1, "SHA256": crypto.SHA256, "SHA384": crypto.SHA384, "SHA512": crypto.SHA512}

// hashValue is a HashAlgorithm, keyed or not.
type hashValue struct {
	typ  *netType
	make func() hash.Hash
	key  []byte
	last []byte
}

func (h *hashValue) typeIn(*Environment) *netType { return h.typ }

func (h *hashValue) compute(m *machine, data []byte) Value {
	m.step(int64(len(data)) >> 6)
	var w hash.Hash
	if h.key != nil {
		w = hmac.New(h.make, h.key)
	} else {
		w = h.make()
	}
	_, _ = w.Write(data)
	h.last = w.Sum(nil)
	return &Bytes{bytes.Clone(h.last)}
}

// rngValue is a random number generator, hashName a HashAlgorithmName, padding a padding of RSA.
type (
	rngValue struct{}
	hashName struct{ name string }
	padding  struct {
		typ  *netType
		name string
		hash string
	}
)

func (*rngValue) typeIn(e *Environment) *netType  { return e.named("RNGCryptoServiceProvider") }
func (h hashName) typeIn(e *Environment) *netType { return e.named("HashAlgorithmName") }
func (h hashName) text(*machine) string           { return h.name }
func (p *padding) typeIn(*Environment) *netType   { return p.typ }

// rsaValue is RSA with a public and perhaps a private key.
type rsaValue struct {
	public  *rsa.PublicKey
	private *rsa.PrivateKey
}

func (r *rsaValue) typeIn(e *Environment) *netType { return e.named("RSA") }

func throwCrypto(message string) {
	throwFull("System.Security.Cryptography.CryptographicException", message)
}

// cryptography declares the hash, random, RSA and symmetric types.
func (b *library) cryptography() {
	b.on("HashAlgorithm")
	b.native("byte[] ComputeHash(byte[] buffer)", func(m *machine, a []Value) Value { return a[0].(*hashValue).compute(m, bytesOf(a[1], "buffer")) })
	b.native("byte[] ComputeHash(byte[] buffer, int offset, int count)", func(m *machine, a []Value) Value {
		return a[0].(*hashValue).compute(m, part(bytesOf(a[1], "buffer"), a[2], a[3]))
	})
	b.property("int HashSize", func(v Value) Value { return int32(v.(*hashValue).make().Size() * 8) })
	b.property("byte[] Hash", func(v Value) Value { return &Bytes{bytes.Clone(v.(*hashValue).last)} })
	for _, t := range []string{"HashAlgorithm", "RandomNumberGenerator", "AsymmetricAlgorithm", "SymmetricAlgorithm"} {
		b.on(t).method("void Dispose()", func([]Value) Value { return nil })
	}
	b.on("HashAlgorithm").method("void Clear()", func([]Value) Value { return nil })
	for name, make := range hashes {
		b.on(name)
		t := b.current
		create := func(*machine, []Value) Value { return &hashValue{typ: t, make: make} }
		b.native("static "+name+" Create()", create)
		b.native("static byte[] HashData(byte[] source)", func(m *machine, a []Value) Value {
			return (&hashValue{typ: t, make: make}).compute(m, bytesOf(a[0], "source"))
		})
		if name != "MD5" {
			b.on(name+"Managed").native("new()", create)
		}
		b.on("HMAC" + name)
		keyed := b.current
		b.native("new()", func(*machine, []Value) Value {
			var key [64]byte
			_, _ = rand.Read(key[:])
			return &hashValue{typ: keyed, make: make, key: key[:]}
		})
		b.native("new(byte[] key)", func(_ *machine, a []Value) Value {
			return &hashValue{typ: keyed, make: make, key: append([]byte{}, bytesOf(a[0], "key")...)}
		})
		b.native("static byte[] HashData(byte[] key, byte[] source)", func(m *machine, a []Value) Value {
			return (&hashValue{typ: keyed, make: make, key: append([]byte{}, bytesOf(a[0], "key")...)}).compute(m, bytesOf(a[1], "source"))
		})
	}
	b.on("KeyedHashAlgorithm").property("byte[] Key", func(v Value) Value { return &Bytes{bytes.Clone(v.(*hashValue).key)} })
	b.set("Key", nativeFunc(func(_ *machine, a []Value) Value {
		a[0].(*hashValue).key = append([]byte{}, bytesOf(a[1], "value")...)
		return nil
	}))
	b.on("RNGCryptoServiceProvider").native("new()", func(*machine, []Value) Value { return &rngValue{} })
	b.on("RandomNumberGenerator")
	b.native("static RandomNumberGenerator Create()", func(*machine, []Value) Value { return &rngValue{} })
	b.method("void GetBytes(byte[] data)", func(a []Value) Value { _, _ = rand.Read(bytesOf(a[1], "data")); return nil })
	b.method("void GetNonZeroBytes(byte[] data)", func(a []Value) Value {
		data := bytesOf(a[1], "data")
		_, _ = rand.Read(data)
		for i := range data {
			for data[i] == 0 {
				_, _ = rand.Read(data[i : i+1])
			}
		}
		return nil
	})
	b.rsa()
	b.extensions()
}

func (b *library) rsa() {
	b.on("HashAlgorithmName")
	b.current.zero = func() Value { return hashName{} }
	for name := range hashes {
		b.add("static HashAlgorithmName "+name, hashName{name})
	}
	b.native("new(string name)", func(_ *machine, a []Value) Value { return hashName{optionalText(a[0])} })
	b.property("string Name", func(v Value) Value { return v.(hashName).name })
	signature, encryption := b.env.named("RSASignaturePadding"), b.env.named("RSAEncryptionPadding")
	b.on("RSASignaturePadding").add("static RSASignaturePadding Pkcs1", &padding{typ: signature, name: "Pkcs1"}).add("static RSASignaturePadding Pss", &padding{typ: signature, name: "Pss"})
	b.on("RSAEncryptionPadding").add("static RSAEncryptionPadding Pkcs1", &padding{typ: encryption, name: "Pkcs1"})
	for _, name := range []string{"SHA1", "SHA256", "SHA384", "SHA512"} {
		b.add("static RSAEncryptionPadding Oaep"+name, &padding{encryption, "Oaep", name})
	}
	b.on("RSA")
	digest := func(m *machine, data []byte, name string) ([]byte, crypto.Hash) {
		make, ok := hashes[name]
		if !ok {
			throwCrypto("'" + name + "' is not a known hash algorithm.")
		}
		return (&hashValue{make: make}).compute(m, data).(*Bytes).Data, hashIDs[name]
	}
	private := func(v Value) *rsa.PrivateKey {
		k := v.(*rsaValue).private
		if k == nil {
			throwCrypto("Key does not have a private key.")
		}
		return k
	}
	b.native("byte[] SignData(byte[] data, HashAlgorithmName hashAlgorithm, RSASignaturePadding padding)", func(m *machine, a []Value) Value {
		m.step(5000)
		sum, id := digest(m, bytesOf(a[1], "data"), a[2].(hashName).name)
		var out []byte
		var err error
		if a[3].(*padding).name == "Pss" {
			out, err = rsa.SignPSS(rand.Reader, private(a[0]), id, sum, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		} else {
			out, err = rsa.SignPKCS1v15(rand.Reader, private(a[0]), id, sum)
		}
		if err != nil {
			throwCrypto(err.Error())
		}
		return &Bytes{out}
	})
	b.native("bool VerifyData(byte[] data, byte[] signature, HashAlgorithmName hashAlgorithm, RSASignaturePadding padding)", func(m *machine, a []Value) Value {
		m.step(500)
		sum, id := digest(m, bytesOf(a[1], "data"), a[3].(hashName).name)
		public := a[0].(*rsaValue).public
		if a[4].(*padding).name == "Pss" {
			return rsa.VerifyPSS(public, id, sum, bytesOf(a[2], "signature"), nil) == nil
		}
		return rsa.VerifyPKCS1v15(public, id, sum, bytesOf(a[2], "signature")) == nil
	})
	b.native("byte[] Encrypt(byte[] data, RSAEncryptionPadding padding)", func(m *machine, a []Value) Value {
		m.step(500)
		var out []byte
		var err error
		if p := a[2].(*padding); p.name == "Oaep" {
			out, err = rsa.EncryptOAEP(hashes[p.hash](), rand.Reader, a[0].(*rsaValue).public, bytesOf(a[1], "data"), nil)
		} else {
			//lint:ignore SA1019 policies that were written for Azure name this padding themselves.
			out, err = rsa.EncryptPKCS1v15(rand.Reader, a[0].(*rsaValue).public, bytesOf(a[1], "data"))
		}
		if err != nil {
			throwCrypto(err.Error())
		}
		return &Bytes{out}
	})
	b.native("byte[] Decrypt(byte[] data, RSAEncryptionPadding padding)", func(m *machine, a []Value) Value {
		m.step(5000)
		var out []byte
		var err error
		if p := a[2].(*padding); p.name == "Oaep" {
			out, err = rsa.DecryptOAEP(hashes[p.hash](), nil, private(a[0]), bytesOf(a[1], "data"), nil)
		} else {
			//lint:ignore SA1019 policies that were written for Azure name this padding themselves.
			out, err = rsa.DecryptPKCS1v15(nil, private(a[0]), bytesOf(a[1], "data"))
		}
		if err != nil {
			throwCrypto(err.Error())
		}
		return &Bytes{out}
	})
	b.property("int KeySize", func(v Value) Value { return int32(v.(*rsaValue).public.N.BitLen()) })
}

// blockCipher makes a cipher of a name that SymmetricAlgorithm.Create knows.
func blockCipher(name string, key []byte) cipher.Block {
	var block cipher.Block
	var err error
	switch strings.ToLower(name) {
	case "aes", "rijndael", "aesmanaged", "rijndaelmanaged", "system.security.cryptography.aes":
		block, err = aes.NewCipher(key)
	case "tripledes", "3des", "triple des":
		if len(key) == 16 {
			key = append(append([]byte{}, key...), key[:8]...)
		}
		block, err = des.NewTripleDESCipher(key) //nolint:gosec // see the import.
	case "des":
		block, err = des.NewCipher(key) //nolint:gosec // see the import.
	default:
		throwCrypto("'" + name + "' is not a known symmetric algorithm.")
	}
	if err != nil {
		throwCrypto("Specified key is not a valid size for this algorithm.")
	}
	return block
}

// crypt encrypts or decrypts in CBC mode with PKCS #7 padding, the defaults of .NET.
func crypt(m *machine, data []byte, name Value, key, iv []byte, encrypt bool) Value {
	m.charge(2 * len(data))
	block := blockCipher(textArgument(name, "alg"), key)
	size := block.BlockSize()
	if len(iv) != size {
		throwCrypto("Specified initialization vector (IV) does not match the block size for this algorithm.")
	}
	if encrypt {
		n := size - len(data)%size
		out := append(append([]byte{}, data...), bytes.Repeat([]byte{byte(n)}, n)...)
		cipher.NewCBCEncrypter(block, iv).CryptBlocks(out, out)
		return &Bytes{out}
	}
	if len(data)%size != 0 || len(data) == 0 {
		throwCrypto("The input data is not a complete block.")
	}
	out := append([]byte{}, data...)
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(out, out)
	n := int(out[len(out)-1])
	if n == 0 || n > size || !bytes.Equal(out[len(out)-n:], bytes.Repeat([]byte{byte(n)}, n)) {
		throwCrypto("Padding is invalid and cannot be removed.")
	}
	return &Bytes{out[:len(out)-n]}
}

// extensions declares byte[].Encrypt and Decrypt of the gateway.
func (b *library) extensions() {
	b.on("ContextExtensions")
	for name, encrypt := range map[string]bool{"Encrypt": true, "Decrypt": false} {
		b.native("static byte[] "+name+"(this byte[] input, string alg, byte[] key, byte[] iv)", func(m *machine, a []Value) Value {
			return crypt(m, bytesOf(a[0], "input"), a[1], bytesOf(a[2], "key"), bytesOf(a[3], "iv"), encrypt)
		})
	}
}
