// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"image"
	_ "image/jpeg" // JPEG pictures
	_ "image/png"  // PNG pictures
	"io"
	"os"
	"unicode/utf8"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
	"github.com/spf13/cobra"
)

func newDecode() *cobra.Command {
	return &cobra.Command{
		Use:   "decode FILE",
		Short: "Read the QR code in a clean picture",
		Long: `Decode reads the QR code in a PNG or JPEG picture, such as a screenshot or a page of a PDF, and
prints its text. It is made for clean pictures; a photograph may well defeat it.

The text is a pass: keep it to yourself. The code is not checked; use "gatehouse verify" for that.`,
		Example: `  gatehouse decode screenshot.png`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("decode needs one picture; try: gatehouse decode screenshot.png")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			img, err := openPicture(args[0])
			if err != nil {
				return err
			}
			text, err := readQR(img)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			if _, shown := screenOf(cmd.OutOrStdout()); shown { // and what is piped on is the code's own
				text = []byte(plain(string(text)))
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", text)
			return err
		},
	}
}

// maxPixels bounds a picture before it is unpacked into memory.
const maxPixels = 64 << 20

func openPicture(file string) (image.Image, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, _, err := image.DecodeConfig(bufio.NewReader(f))
	if err != nil {
		return nil, fmt.Errorf("%s is not a PNG or JPEG picture: %w", file, err)
	}
	if size.Width < 1 || size.Height < 1 || size.Width > maxPixels/size.Height {
		return nil, fmt.Errorf("%s has %d × %d pixels, more than can be read; cut out the code", file, size.Width, size.Height)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	img, _, err := image.Decode(bufio.NewReader(f))
	if err != nil {
		return nil, fmt.Errorf("%s is damaged: %w", file, err)
	}
	return img, nil
}

// readQR tries a pure drawing first, for the search for a code in a picture misses some perfect ones,
// then searches with the local and with the global threshold.
func readQR(img image.Image) ([]byte, error) {
	source := gozxing.NewLuminanceSourceFromImage(img)
	for _, try := range []struct {
		hint      gozxing.DecodeHintType
		binarizer func(gozxing.LuminanceSource) gozxing.Binarizer
	}{
		{gozxing.DecodeHintType_PURE_BARCODE, gozxing.NewHybridBinarizer},
		{gozxing.DecodeHintType_PURE_BARCODE, gozxing.NewGlobalHistgramBinarizer},
		{gozxing.DecodeHintType_TRY_HARDER, gozxing.NewHybridBinarizer},
		{gozxing.DecodeHintType_TRY_HARDER, gozxing.NewGlobalHistgramBinarizer},
	} {
		bitmap, err := gozxing.NewBinaryBitmap(try.binarizer(source))
		if err != nil {
			continue
		}
		result, err := qrcode.NewQRCodeReader().Decode(bitmap, map[gozxing.DecodeHintType]any{try.hint: true})
		if err == nil {
			return content(result), nil
		}
	}
	return nil, errors.New("no QR code can be read in it; cut the picture to the code with a white border, " +
		"or show it to the scanner")
}

// content prefers the bytes of byte segments to gozxing's text, whose character set is a guess; where
// other segments hold part of the code they are alphanumeric, and the text is exact.
func content(r *gozxing.Result) []byte {
	text := r.GetText()
	segments, _ := r.GetResultMetadata()[gozxing.ResultMetadataType_BYTE_SEGMENTS].([][]byte)
	if raw := bytes.Join(segments, nil); len(raw) >= utf8.RuneCountInString(text) {
		return raw
	}
	return []byte(text)
}
