// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder

import (
	"encoding"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"strings"

	"gatehouse/credential"
	"gatehouse/entry"
)

// Schemas are the JSON Schemas (2020-12) of the YAML files that an operator edits, by their names: fleet (fleet.yaml),
// issuer (issuers/NAME.yaml) and policy (venues/*.yaml and kiosks/VENUE/KIOSK/policy.yaml). They are made of the types into
// which these files are read, so that no key can be in one and not in the other. What a schema cannot say, as that two
// rules have two names, is for Inspect to find.
func Schemas() map[string][]byte {
	schemas := map[string][]byte{}
	for name, s := range map[string]struct {
		title string
		of    any
	}{
		"fleet":  {"fleet.yaml of a Gatehouse fleet", settings{}},
		"issuer": {"an issuer's keys, issuers/NAME.yaml", issuerFile{}},
		"policy": {"who is admitted: venues/*.yaml, or a kiosk's policy.yaml", entry.Policy{}},
	} {
		schema := schemaOf(reflect.TypeOf(s.of), name)
		schema["$schema"], schema["title"] = "https://json-schema.org/draft/2020-12/schema", s.title
		text, err := json.MarshalIndent(schema, "", "  ")
		if err != nil {
			panic(fmt.Sprintf("folder: schema %s: %v", name, err)) // maps of text and numbers always can be written
		}
		schemas[name] = append(text, '\n')
	}
	return schemas
}

// WriteSchemas puts the schemas into schema/, where the first lines of the templates have editors look for them.
func (f *Folder) WriteSchemas() error {
	for name, text := range Schemas() {
		if err := WriteFile(f.path("schema", name+".json"), text, readable); err != nil {
			return err
		}
	}
	return nil
}

type object = map[string]any

// textForms are the types that read themselves from text.
var textForms = map[reflect.Type]object{
	reflect.TypeFor[entry.Duration](): {"type": "string", "pattern": `^([+-]?[0-9]{1,6}d|0|[+-]?([0-9]+(\.[0-9]*)?(ns|us|µs|μs|ms|s|m|h))+)$`, "examples": []string{"500ms", "24h", "7d"}},
	reflect.TypeFor[entry.Hours](): {
		"type": "string", "examples": []string{"09:00-18:00", "mon-fri 22:00-06:00", "sat,sun 10:00-24:00"},
		"pattern": `^((sun|mon|tue|wed|thu|fri|sat)(-(sun|mon|tue|wed|thu|fri|sat))?(,(sun|mon|tue|wed|thu|fri|sat)(-(sun|mon|tue|wed|thu|fri|sat))?)* )?[0-2][0-9]:[0-5][0-9]-[0-2][0-9]:[0-5][0-9]$`,
	},
}

// words are the types that are one of some words.
var words = map[reflect.Type][]string{
	reflect.TypeFor[entry.Late]():        {string(entry.LateHold), string(entry.LateOpen)},
	reflect.TypeFor[entry.Direction]():   {string(entry.DirectionIn), string(entry.DirectionOut)},
	reflect.TypeFor[credential.Format](): {string(credential.GH1), string(credential.HC1)},
}

// schemaOf is the schema of a type. name is that of its notes: "policy", "policy.accept", ….
func schemaOf(t reflect.Type, name string) object {
	if form, ok := textForms[t]; ok {
		return maps.Clone(form)
	}
	if list, ok := words[t]; ok {
		return object{"type": "string", "enum": list}
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		panic("folder: schema: " + t.String() + " reads itself from text, and textForms does not say how")
	}
	switch t.Kind() {
	case reflect.Pointer:
		return schemaOf(t.Elem(), name)
	case reflect.Struct:
		return structSchema(t, name)
	case reflect.Slice:
		return object{"type": "array", "items": schemaOf(t.Elem(), name)}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": schemaOf(t.Elem(), name)}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.String:
		return object{"type": "string"}
	case reflect.Int, reflect.Uint:
		return object{"type": "integer"}
	}
	panic("folder: schema: " + t.String() + " has no schema")
}

func structSchema(t reflect.Type, name string) object {
	properties := object{}
	required := []string{}
	for i := range t.NumField() {
		key, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		if key == "" {
			continue
		}
		at := name + "." + key
		property := schemaOf(t.Field(i).Type, at)
		n := notes[at]
		property["description"] = n.text
		maps.Copy(property, n.more)
		properties[key] = property
		if n.required {
			required = append(required, key)
		}
	}
	schema := object{"type": "object", "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		schema["required"] = required
	}
	if t == reflect.TypeFor[entry.Clause]() {
		// A valid certificate is not a healthy person.
		schema["if"] = object{"properties": object{"kind": object{"enum": []string{"health", "travel"}}}, "required": []string{"kind"}}
		schema["then"] = object{"required": []string{"level"}, "properties": object{"level": object{"minItems": 1}}}
	}
	return schema
}
