package io.leapnbd.tools.cli;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class JsonTest {

    @Test
    void nestsObjectsAndArrays() {
        Json json = new Json()
                .object()
                .put("name", "leap")
                .array("sizes")
                .add(1)
                .add("two")
                .object()
                .put("three", 3.0)
                .endObject()
                .endArray()
                .array("none")
                .endArray()
                .object("inner")
                .putNull("nothing")
                .put("yes", true)
                .endObject()
                .endObject();
        assertThat(json).hasToString("""
                {
                  "name": "leap",
                  "sizes": [
                    1,
                    "two",
                    {
                      "three": 3.000
                    }
                  ],
                  "none": [],
                  "inner": {
                    "nothing": null,
                    "yes": true
                  }
                }""");
    }

    @Test
    void escapesWhatAStringMayNotHold() {
        assertThat(new Json()
                        .object()
                        .put("a\"b\\", "\n\t\r\0\u007f\ud83d\udc0e é")
                        .endObject())
                .hasToString("{\n  \"a\\\"b\\\\\": \"\\n\\t\\r\\u0000\\u007f\\ud83d\\udc0e é\"\n}");
    }

    @Test
    void writesNumbersThatAreNoneAsNull() {
        assertThat(new Json().object().put("x", Double.NaN).put("y", -0.5).endObject())
                .hasToString("{\n  \"x\": null,\n  \"y\": -0.500\n}");
    }
}
