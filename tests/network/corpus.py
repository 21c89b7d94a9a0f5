"""Malformed, odd and huge inputs, each with what is to come of it.

`CASES` lists them; ``python -m tests.network.corpus FOLDER`` writes each into a folder, reads it
under a limit of memory and of time, and prints a line of JSON for each: what came of it.
"""

import bz2
import gzip
import io
import itertools
import json
import lzma
import resource
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
from scipy import sparse

#: Bytes of address space, and seconds for one input.
MEMORY, SECONDS = 2 * 2**30, 30

RING = [("1", "2", 3), ("2", "3", 1), ("3", "1", 2), ("3", "4", 4)]
SMALL = "source,target,weight\na,b,3\nb,c,1\n"


@dataclass(frozen=True)
class Case:
    """An input and its outcome.

    Attributes
    ----------
    name
        The file's name.
    content
        What is in it.
    expected
        Words of a refusal, or what is read: directed, number of nodes, edges with their weights
        in order of names.
    options
        Of ``read_network``; names of files are relative to the input's folder.
    beside
        Other files of the folder.
    """

    name: str
    content: str | bytes
    expected: str | tuple[bool, int, list[list[object]]]
    options: dict[str, Any] = field(default_factory=dict)
    beside: dict[str, str] = field(default_factory=dict)


def read(n: int, *edges: tuple[str, str, int], directed: bool = True) -> tuple[bool, int, list]:
    """Return the outcome of a network that is read."""
    return directed, n, sorted(list(edge) for edge in edges)


ABC = read(3, ("a", "b", 3), ("b", "c", 1))
OF_RING = read(4, *RING)


# --- tables -------------------------------------------------------------------------------------


def dialects() -> Iterator[Case]:
    """Write the same edge list as many programs do."""
    heads = {
        "named": ("", ("source", "target", "weight")),
        "camel": ("", ("FromNodeId", "ToNodeId", "nTrips")),
        "comment": ("# ", ("source", "target", "weight")),
        "bare": None,
    }
    encodings = {"utf8": "utf-8", "bom": "utf-8-sig", "utf16": "utf-16"}
    marks = {"comma": ",", "semicolon": ";", "tab": "\t", "blank": " "}
    ends = {"unix": "\n", "windows": "\r\n", "mac": "\r"}
    for (h, head), (m, mark), (e, end), (c, code) in itertools.product(
        heads.items(), marks.items(), ends.items(), encodings.items()
    ):
        lines = [mark.join(map(str, edge)) for edge in RING]
        if head is not None:
            lines = [head[0] + mark.join(head[1]), *lines]
        suffix = ".tsv" if m == "tab" else ".csv" if m in ("comma", "semicolon") else ".txt"
        text = end.join([*lines, ""])
        yield Case(f"{h}-{m}-{e}-{c}{suffix}", text.encode(code), OF_RING)


#: Weights as text, and what is read: a number, or words of the refusal.
WEIGHTS = {
    "0003": 3, "3.0": 3, "+3": 3, "3e0": 3, " 3": 3, "2147483647": 2147483647, "0.3e1": 3,
    "-1": "negative", "1.5": "not a whole number", "nan": "not finite",
    "inf": "not finite", "-inf": "not finite", "1e400": "not finite", "x": "not a number",
    "1_000": "not a number", "0x10": "not a number", "--1": "not a number",
    "1e-320": "not a whole number", "2147483648": "overflows", "1e300": "overflows",
    "9" * 400: "weight 9+\\.\\.\\., which is not finite", "9" * 5000: "weight 9+\\.\\.\\., which",
    "1/2": "not a number", "NULL": "not a number .*leave the cell empty",
    "True": "not a number", "1.2.3": "not a number",
}  # fmt: skip


def weights() -> Iterator[Case]:
    """Write weights of every kind in every format of text."""
    pajek = '*Vertices 2\n1 "a"\n2 "b"\n*Arcs\n1 2 {}\n'
    keys = '<key id="w" for="edge" attr.name="weight" attr.type="string"/>'
    body = '<node id="a"/><node id="b"/><edge source="a" target="b"><data key="w">{}</data></edge>'
    formats = {
        ".csv": "source,target,weight\na,b,{}\n",
        ".tsv": "source\ttarget\tn_synapses\na\tb\t{}\n",
        ".net": pajek,
        ".graphml": graphml(body, keys),
    }
    for number, (text, expected) in enumerate(WEIGHTS.items()):
        for suffix, form in formats.items():
            if suffix == ".net" and text != text.strip():
                continue
            outcome = expected if isinstance(expected, str) else read(2, ("a", "b", expected))
            yield Case(f"weight{number}{suffix}", form.format(text), outcome)


def tables() -> Iterator[Case]:
    """Tables that are broken, unclear or odd."""
    two = "source,target\na,b\nb,c\n"
    unweighted = read(3, ("a", "b", 1), ("b", "c", 1))
    cases: dict[str, tuple[str | bytes, Any]] = {
        "empty": ("", "is empty"),
        "blank": (" \n\n\t\n", "is empty"),
        "comments only": ("# a\n# b\n", "is empty"),
        "header only": ("source,target,weight\n", "the network is empty"),
        "one cell": ("a\n", "neither an edge list"),
        "one column": ("source\na\nb\n", "neither an edge list"),
        "one node": ("source,target\na,a\n", "one node only"),
        "short row": ("source,target,weight\na,b,1\nb,c\n", "line 3 has 2 cells"),
        "long row": ("source,target\na,b\nb,c,1\n", "line 3 has 3 cells"),
        "long row below comments": ("# x\n\nsource,target\na,b\nb,c,1\n", "line 5 has 3 cells"),
        "no receiver": ("source,target,weight\na,,1\n", "the receiver of edge 1 has no name"),
        "no sender": ("source,target,weight\na,b,1\n,b,1\n", "the sender of edge 2 has no name"),
        "blank name": ('source,target\n"  ",b\n', "the sender of edge 1 has no name"),
        "quote open": ('source,target\n"a,b\n', "cannot be read"),
        "quote after": ('source,target\n"a"x,b\n', "cannot be read"),
        "long cell": (f"source,target\n{'a' * 200_000},b\n", "cannot be read"),
        "two weights": ("source,target,weight,Weight\na,b,1,2\n", "two columns 'weight'"),
        "two sources": ("source,Source,target\na,b,c\n", "two columns 'source'"),
        "two pairs": ("pre_a,post_a,pre_b,post_b\na,b,c,d\n", "may be in the columns"),
        "unclear": ("ann,bob\ncat,dan\n", "--header or --no-header"),
        "single edge": ("a,b\n", "--header or --no-header"),
        "letters": ("i,j\nj,k\n", "--header or --no-header"),
        "unknown": ("left,right\n1,2\n2,3\n", "--source left --target right"),
        "wide": ("a,b,c,d,e\n1,2,3,4,5\n", "neither an edge list"),
        "latin": ("source,target\nä,b\n".encode("latin-1"), "iconv"),
        "cut utf8": ("source,target\nä,b\n".encode()[:15], "not UTF-8"),
        "utf16 unmarked": ("source,target\na,b\n".encode("utf-16-le"), "UTF-16|not UTF-8"),
        "utf32": ("source,target\na,b\n".encode("utf-32"), "cannot be read|neither|0"),
        "binary": (bytes(range(256)) * 8, "cannot be read|not UTF-8"),
        "zeros": (b"\0" * 10_000, "cannot be read"),
        "png": (b"\x89PNG\r\n\x1a\n" + bytes(100), "not UTF-8|cannot be read"),
        "html": ("<html><body>404\n</body></html>\n", "neither an edge list"),
        "json": ('{"nodes": [\n1, 2],\n"links": []}\n', "cells|neither|header"),
        "matrix": (",a,b\na,0,3\nb,1,0\n", read(2, ("a", "b", 3), ("b", "a", 1))),
        "matrix turned": (",b,a\na,3,0\nb,0,1\n", read(2, ("a", "b", 3), ("b", "a", 1))),
        "matrix hole": (",a,b\na,0,\nb,1,0\n", "row 'a' and column 'b' has no weight"),
        "matrix missing": (",a,b\na,0,NA\nb,1,0\n", read(2, ("b", "a", 1))),
        "matrix words": (",a,b\na,0,x\nb,1,0\n", "'x', which is not a number"),
        "matrix twice": (",a,a\na,0,1\na,1,0\n", "the node name 'a' occurs 2 times"),
        "matrix wide": (",x,y,z\na,0,1,0\nb,1,0,1\n", "bipartite"),
        "matrix bare": ("0,3,1,2\n3,0,1,0\n1,1,0,0\n2,0,0,0\n", "without names of nodes"),
        "matrix bare 3": ("0,3,1\n3,0,2\n1,2,0\n", "without names of nodes"),
        "matrix semicolons": (";a;b\na;0;3\nb;1;0\n", read(2, ("a", "b", 3), ("b", "a", 1))),
        "row numbers": (",source,target,weight\n0,a,b,3\n1,b,c,1\n", ABC),
        "empty columns": ("source,target,weight,,\na,b,3,,\nb,c,1,,\n,,,,\n", ABC),
        "blank last": (SMALL + "   \n\n\n", ABC),
        "blank first": ("\n\n" + SMALL, ABC),
        "blanks": ("source , target , weight\n a ,  b , 3\nb,c,1\n", ABC),
        "quoted": ('"source","target","weight"\n"a","b","3"\n"b","c","1"\n', ABC),
        "no end": (SMALL.rstrip("\n"), ABC),
        "hash comment": ("source,target\n#b,x\na,b\nb,c\n", unweighted),
        "hash of a new node": ("source,target\n#1,a\na,b\nb,c\n", "write it in quotes: \"#1\""),
        "hash node": ("source,target\n#1,a\na,#1\n", "write it in quotes: \"#1\""),
        "only hashes": ("source,target\n#1,a\n#2,b\n", "write it in quotes"),
        "comment of names": (",#1,b\n#1,0,3\nb,1,0\n", "write it in quotes"),
        "quoted names": (',"#1",b\n"#1",0,3\nb,1,0\n',
                         read(2, ("#1", "b", 3), ("b", "#1", 1))),
        "comment within quotes": ('source,target,x\na,b,"1\n# 2"\nb,c,\n', unweighted),
        "comment of another width": (SMALL + "# a, b, c, d, e\n%\n", ABC),
        "comment with a quote": (SMALL + '# don"t\n#"\n', ABC),
        "decimal commas": ("source;target;weight\na;b;3,0\nb;c;1,00\n", ABC),
        "commas of thousands": ("source;target;weight\na;b;3,000\nb;c;1,000\n",
                                "without separators"),
        "commas and points": ("source;target;weight\na;b;3,5\nb;c;1.000\n", "not a number"),
        "two weights in part": ("source,target,weight,count\na,b,3,\nb,c,,1\n",
                                "1 edge without 'weight' has 'count'"),
        "diagonal of strokes": (",a,b\na,-,3\nb,1,-\n", read(2, ("a", "b", 3), ("b", "a", 1))),
        "strokes elsewhere": (",a,b\na,0,-\nb,1,0\n", "'-', which is not a number"),
        "matrix of R": (',V1,V2,V3\n1,0,3,0\n2,0,0,1\n3,0,0,0\n',
                        read(3, ("1", "2", 3), ("2", "3", 1))),
        "matrix of R without rows": ("V1,V2,V3\n0,3,0\n0,0,1\n0,0,0\n", "without names of nodes"),
        "several others": ("id,friend1,friend2,friend3\n1,2,3,4\n2,1,3,4\n", "each pair of nodes"),
        "per cent below": (SMALL + "% the end\n", ABC),
        "hash edge": ("#1,a,2\na,b,3\n", "mark of comments"),
        "quoted hash": ('"#1",a,2\na,b,3\n', read(3, ("#1", "a", 2), ("a", "b", 3))),
        "upper": (two.upper(), read(3, ("A", "B", 1), ("B", "C", 1))),
        "konect": ("% sym unweighted\n% 2 3 3\n1 2\n2 3\n",
                   read(3, ("1", "2", 1), ("2", "3", 1), directed=False)),
        "konect bipartite": ("% bip unweighted\n1 1\n2 1\n", "two sets"),
        "negative sum": ("source,target,weight\na,b,-3\na,b,5\n", "negative"),
        "sum overflows": ("source,target,weight\na,b,2147483647\na,b,1\n", "overflows"),
        "zero": ("source,target,weight\na,b,0\nb,c,1\n", read(3, ("b", "c", 1))),
        "missing": ("source,target,weight\na,b,\nb,c,2\n", read(3, ("a", "b", 1), ("b", "c", 2))),
        "loop": ("source,target\na,a\na,b\n", read(2, ("a", "a", 1), ("a", "b", 1))),
        "escapes": ("source,target\n\x1b[31ma,b\nb,c\n",
                    read(3, ("\x1b[31ma", "b", 1), ("b", "c", 1))),
        "names NA": ("source,target\nNA,nan\nnan,None\n",
                     read(3, ("NA", "nan", 1), ("nan", "None", 1))),
        "numbers 01": ("source,target\n01,1\n1,1.0\n", read(3, ("01", "1", 1), ("1", "1.0", 1))),
        "mixed types": ("Source,Target,Type\na,b,Directed\nb,c,Undirected\n", "--undirected"),
        "undirected": ("Source,Target,Type\na,b,Undirected\nb,c,undirected\n",
                       (False, 3, unweighted[2])),
        "numbers left": ("source,target,distance\na,b,3\nb,c,1\n", "--weight distance"),
        "words left": ("source,target,mood\na,b,good\nb,c,bad\n", unweighted),
        "times left": ("source,target,year\na,b,2001\nb,c,2002\n", unweighted),
        "separator": ("sep=;\nsource;target;weight\na;b;3\nb;c;1\n", ABC),
        "separator 2": ("sep=;\nsource;target\na;b\nb;c\n", unweighted),
        "seconds": ("1,2,1082040961\n2,3,1082155839\n", "--weight 3"),
        "row names of R": ("source,target,weight\n1,a,b,3\n2,b,c,1\n", "row.names = FALSE"),
        "dictionaries": ("0 1 {'weight': 4}\n1 2 {'weight': 5}\n", "neither an edge list"),
        "bars": ("source|target|weight\na|b|3\nb|c|1\n", ABC),
        "header twice": (SMALL * 2, "'weight', which is not a number"),
        "totals": (",a,b\na,0,1\nb,1,0\ntotal,1,1\n", "neither an edge list"),
        "per cent": ("source,target,weight\na,b,30%\n", "not a number"),
        "many rows": ("source,target\n" + "a,b\n" * 30_000 + "b,c\n",
                      read(3, ("a", "b", 30_000), ("b", "c", 1))),
        "many blank lines": (SMALL + "\n" * 300_000, ABC),
        "many comments": ("# x\n" * 200_000 + SMALL, ABC),
        "one long line": ("a," * 30_000 + "b\n", "neither|numbers|header|cells"),
        "many commas": ("," * 100_000 + "\n" + SMALL, ABC),
    }  # fmt: skip
    for name, (content, expected) in cases.items():
        yield Case(f"{name}.csv", content, expected)
    options: list[tuple[str, dict[str, Any], Any]] = [
        (SMALL, {"weight": "none"}, unweighted),
        (SMALL, {"binary": True}, unweighted),
        (SMALL, {"weight": "mass"}, "no column 'mass'"),
        (SMALL, {"source": "target", "target": "source"}, read(3, ("b", "a", 3), ("c", "b", 1))),
        (SMALL, {"source": "source"}, "--target is not"),
        (SMALL, {"source": "source", "target": "x"}, "no column 'x'"),
        (SMALL, {"where": ["weight=3"]}, read(2, ("a", "b", 3))),
        (SMALL, {"where": ["weight=9"]}, "no edge has --where weight=9"),
        (SMALL, {"where": ["=3"]}, "COLUMN=VALUE is needed"),
        (SMALL, {"where": ["kind=3"]}, "no column 'kind'"),
        (SMALL, {"parallel_edges": "last"}, "it can be 'sum' or 'first'"),
        (SMALL, {"header": False}, "not a number"),
        ("a,b,3\nb,c,1\n", {"header": False}, ABC),
        ("v1,b,3\nb,c,1\n", {"header": True}, "--source v1 --target b"),
        (SMALL, {"directed": False}, (False, 3, ABC[2])),
    ]
    for number, (text, option, expected) in enumerate(options):
        yield Case(f"option{number}.csv", text, expected, option)


# --- graphs -------------------------------------------------------------------------------------


def graphml(body: str, keys: str = "", head: str = "") -> str:
    """Return a GraphML file."""
    return (
        f'{head}<graphml xmlns="http://graphml.graphdrawing.org/xmlns">{keys}'
        f'<graph edgedefault="directed">{body}</graph></graphml>'
    )


PAIR = '<node id="a"/><node id="b"/>'


def graphs() -> Iterator[Case]:
    """Graph files that are broken or odd."""
    laughs = "".join(
        f'<!ENTITY l{k} "{f"&l{k - 1};" * 10}">' if k else '<!ENTITY l0 "lol">' for k in range(12)
    )
    external = '<!DOCTYPE g [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
    weight = '<key id="w" for="edge" attr.name="weight" attr.type="{}"/>'
    edge = '<edge source="a" target="b">{}</edge>'
    xml: dict[str, tuple[str, Any]] = {
        "no source": (graphml(PAIR + '<edge target="b"/>'), "edge 1 has no source"),
        "no target": (graphml(PAIR + '<edge source="b"/>'), "edge 1 has no target"),
        "no id": (graphml("<node/>" * 2), "node 1 has no id"),
        "unknown": (graphml(PAIR + '<edge source="a" target="z"/>'), "target 'z'"),
        "twice": (graphml(PAIR + '<node id="a"/>'), "node 3 has the id 'a'"),
        "no graph": ("<graphml/>", "0 graphs"),
        "two": (graphml(PAIR).replace("</graphml>", "<graph/></graphml>"), "2 graphs"),
        "nested": (graphml('<node id="a"><graph edgedefault="directed"/></node>'), "2 graphs"),
        "no direction": (graphml(PAIR).replace(' edgedefault="directed"', ""), "edgedefault=None"),
        "default": (graphml(PAIR + edge.format(""), weight.format("int").replace(
            "/>", "><default>4</default></key>")), read(2, ("a", "b", 4))),
        "no nodes": (graphml(""), "is empty"),
        "one node": (graphml('<node id="a"/>'), "one node only"),
        "no edges": (graphml(PAIR), read(2)),
        "hyperedge": (graphml(PAIR + '<hyperedge><endpoint node="a"/></hyperedge>'), "cannot be"),
        "mixed": (graphml(PAIR + '<edge directed="false" source="a" target="b"/>'), "cannot be"),
        "port": (graphml(PAIR + '<port name="p"/>' + edge.format("")), read(2, ("a", "b", 1))),
        "laughs": (graphml("&l11;", head=f"<!DOCTYPE g [{laughs}]>"), "cannot be read"),
        "external": (graphml("&e;", head=external), "cannot be read"),
        "not xml": ("graph [ ]", "cannot be read"),
        "deep": ("<a>" * 100_000, "cannot be read"),
        "deep closed": ("<a>" * 50_000 + "</a>" * 50_000, "0 graphs|cannot be read"),
        "bad type": (graphml(PAIR + edge.format('<data key="w">x</data>'), weight.format("int")),
                     "cannot be read"),
        "unknown type": (graphml(PAIR + edge.format('<data key="w">3</data>'),
                                 weight.format("colour")), "cannot be read"),
        "unknown key": (graphml(PAIR + edge.format('<data key="q">3</data>')), "cannot be read"),
        "boolean": (graphml(PAIR + edge.format('<data key="w">maybe</data>'),
                            weight.format("boolean")), "cannot be read"),
        "float": (graphml(PAIR + edge.format('<data key="w">3.0</data>'), weight.format("double")),
                  read(2, ("a", "b", 3))),
        "half": (graphml(PAIR + edge.format('<data key="w">.5</data>'), weight.format("double")),
                 "not a whole number"),
        "repeated": (graphml(PAIR + edge.format("") * 3), read(2, ("a", "b", 3))),
    }  # fmt: skip
    for name, (text, expected) in xml.items():
        yield Case(f"{name}.graphml", text, expected)
    gexf = (
        '<gexf xmlns="http://www.gexf.net/1.2draft" version="1.2">'
        '<graph defaultedgetype="directed">'
        "<nodes>{}</nodes><edges>{}</edges></graph></gexf>"
    )
    ends = '<edge id="0" source="{}" target="{}"/>'
    for name, text, expected in [
        ("good", gexf.format(PAIR, ends.format("a", "b")), read(2, ("a", "b", 1))),
        ("unknown", gexf.format(PAIR, ends.format("a", "z")), "target 'z'"),
        ("no source", gexf.format(PAIR, '<edge id="0" target="b"/>'), "no source"),
        ("no id", gexf.format("<node/>" + PAIR, ""), "node 1 has no id"),
        ("empty", gexf.format("", ""), "is empty"),
        ("no graph", "<gexf/>", "0 graphs"),
        ("version", gexf.format(PAIR, "").replace("1.2draft", "9draft"), "cannot be read"),
        ("words", "nothing", "cannot be read"),
    ]:
        yield Case(f"{name}.gexf", text, expected)
    node = "node [ id {} ] "
    two = node.format(1) + node.format(2)
    gml: dict[str, tuple[str, Any]] = {
        "good": (f"graph [ directed 1 {two} edge [ source 1 target 2 weight 3 ] ]",
                 read(2, ("1", "2", 3))),
        "unknown": (f"graph [ {two} edge [ source 1 target 3 ] ]", "cannot be read"),
        "no source": (f"graph [ {two} edge [ target 2 ] ]", "cannot be read"),
        "no id": ("graph [ node [ label \"a\" ] ]", "cannot be read"),
        "twice": (f"graph [ {two} {node.format(1)} ]", "cannot be read"),
        "labels twice": ('graph [ node [ id 1 label "a" ] node [ id 2 label "a" ] ]',
                         "occurs 2 times"),
        "open": (f"graph [ {two}", "cannot be read"),
        "closed": (f"graph [ {two} ] ]", "cannot be read"),
        "no graph": ("Version 1", "cannot be read"),
        "two graphs": ("graph [ ] graph [ ]", "cannot be read"),
        "empty": ("", "cannot be read"),
        "no nodes": ("graph [ ]", "is empty"),
        "words": ("hello world", "cannot be read"),
        "deep": ("graph [ " + "a [ " * 20_000, "cannot be read"),
        "blank lines": ("\n" * 100_000 + f"graph [ {two} ]" + "\n" * 100_000,
                        read(2, directed=False)),
        "entity": ('graph [ node [ id 1 label "&eacute;" ] node [ id 2 label "b" ] ]',
                   read(2, directed=False)),
        "negative": (f"graph [ {two} edge [ source 1 target 2 weight -3 ] ]", "negative"),
        "repeated": (f"graph [ directed 1 {two} " + "edge [ source 1 target 2 ] " * 2 + "]",
                     read(2, ("1", "2", 2))),
    }  # fmt: skip
    for name, (text, expected) in gml.items():
        yield Case(f"{name}.gml", text, expected)
    vertices = '*Vertices 3\n1 "a"\n2 "b"\n3 "c"\n'
    pajek: dict[str, tuple[str, Any]] = {
        "good": (vertices + "*Arcs\n1 2 3\n2 3 1\n", ABC),
        "upper": ((vertices + "*Arcs\n1 2 3\n2 3 1\n").replace("*A", "*a"), ABC),
        "comment": ("% x\n" + vertices + "*Arcs\n1 2 3\n2 3 1\n", ABC),
        "network": ("*Network x\n" + vertices + "*Arcs\n1 2 3\n2 3 1\n", ABC),
        "edges": (vertices + "*Edges\n1 2 3\n2 3 1\n", (False, 3, ABC[2])),
        "lists": (vertices + "*Arcslist\n1 2 3\n", read(3, ("a", "b", 1), ("a", "c", 1))),
        "unknown": (vertices + "*Arcs\n1 4\n", "names the vertex '4'"),
        "word": (vertices + "*Arcs\na b\n", "names the vertex 'a'"),
        "one": (vertices + "*Arcs\n1\n", "has one vertex"),
        "negative": (vertices + "*Arcs\n1 2 -3\n", "negative"),
        "no number": ("*Vertices x\n", "number of vertices"),
        "huge": ("*Vertices 99999999999\n", "at most 10,000,000"),
        "no vertices": ("*Arcs\n1 2\n", "begins with"),
        "other": (vertices + "*Partition x\n1\n", "not a section"),
        "quote": ('*Vertices 2\n1 "a\n2 b\n', "line 2 cannot be read"),
        "nothing": ("", "begins with"),
        "digits": ("*Vertices " + "9" * 5000, "at most 10,000,000"),
    }  # fmt: skip
    for name, (text, expected) in pajek.items():
        yield Case(f"{name}.net", text, expected)


# --- arrays -------------------------------------------------------------------------------------


def npy(array: np.ndarray, allow_pickle: bool = False) -> bytes:
    """Return a ``.npy`` file."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=allow_pickle)
    return buffer.getvalue()


def npz(**changes: np.ndarray) -> bytes:
    """Return the ``.npz`` file of a sparse matrix, some of its parts changed."""
    parts = {
        "format": np.array(b"csr"),
        "shape": np.array([4, 4]),
        "data": np.array([3, 1, 2, 4]),
        "indices": np.array([1, 2, 0, 3], dtype=np.int32),
        "indptr": np.array([0, 1, 2, 4, 4], dtype=np.int32),
    }
    buffer = io.BytesIO()
    np.savez(buffer, **parts | changes)
    return buffer.getvalue()


def of_format(kind: str) -> bytes:
    """Return the ring as a sparse matrix of a format."""
    matrix = np.zeros((4, 4), dtype=int)
    for a, b, w in RING:
        matrix[int(a) - 1, int(b) - 1] = w
    buffer = io.BytesIO()
    sparse.save_npz(buffer, sparse.coo_array(matrix).asformat(kind))
    return buffer.getvalue()


def announced(shape: tuple[int, ...], dtype: str) -> bytes:
    """Return a ``.npy`` file that announces an array, and has 64 bytes of it."""
    buffer = io.BytesIO()
    header = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_2_0(buffer, header)
    return buffer.getvalue() + bytes(64)


def arrays() -> Iterator[Case]:
    """Files of arrays that are broken, odd or huge."""
    at_zero = read(4, *((str(int(a) - 1), str(int(b) - 1), w) for a, b, w in RING))
    for kind in ("csr", "csc", "coo", "dia", "bsr"):
        yield Case(f"{kind}.npz", of_format(kind), at_zero)
    for name, changes, expected in [
        ("good", {}, at_zero),
        ("negative pointer", {"indptr": np.array([0, -9, 2, 4, 4])}, "its indices are not"),
        ("wild pointer", {"indptr": np.array([0, 2**31 - 1, 2, 4, 4])}, "its indices are not"),
        ("falling", {"indptr": np.array([0, 3, 2, 4, 4])}, "its indices are not"),
        ("short pointer", {"indptr": np.array([0, 4])}, "cannot be read|its indices are not"),
        ("no start", {"indptr": np.array([1, 1, 2, 4, 4])}, "cannot be read|its indices are not"),
        ("outside", {"indices": np.array([1, 2, 0, 99])}, "its indices are not"),
        ("below", {"indices": np.array([1, 2, 0, -1])}, "its indices are not"),
        ("floats", {"indices": np.array([1.0, 2, 0, 3])}, "no whole numbers"),
        ("words", {"data": np.array(list("abcd"))}, "no numbers"),
        ("objects", {"shape": np.array(["4", "4"])}, "two numbers"),
        ("flat", {"shape": np.array([16])}, "two numbers"),
        ("cube", {"shape": np.array([4, 4, 4])}, "two numbers"),
        ("negative shape", {"shape": np.array([-4, -4])}, "cannot be read|its indices"),
        ("wide", {"shape": np.array([4, 9])}, "4 x 9; it must be square"),
        ("huge", {"shape": np.array([10**9, 10**9])}, "1,000,000,000 nodes"),
        ("wild shape", {"shape": np.array([2**62, 2**62])}, "nodes; at most"),
        ("other format", {"format": np.array(b"lil")}, "format 'lil'"),
        ("no format", {"format": np.array(3)}, "format '3'"),
        ("negative", {"data": np.array([3, 1, -2, 4])}, "negative"),
        ("half", {"data": np.array([3, 1, 0.5, 4])}, "not a whole number"),
        ("infinite", {"data": np.array([3, 1, np.inf, 4])}, "not finite"),
        ("few data", {"data": np.array([3])}, "cannot be read|its indices are not"),
    ]:
        yield Case(f"{name}.npz", npz(**changes), expected)
    buffer = io.BytesIO()
    np.savez(buffer, np.eye(3))
    yield Case("archive.npz", buffer.getvalue(), "arr_0; a sparse matrix")
    yield Case("no zip.npz", b"PK\3\4 nothing", "cannot be read")
    for name, content, expected in [
        ("good", npy(np.array([[0, 3], [1, 0]])), read(2, ("0", "1", 3), ("1", "0", 1))),
        (
            "fortran",
            npy(np.asfortranarray([[0, 3], [1, 0]])),
            read(2, ("0", "1", 3), ("1", "0", 1)),
        ),
        ("bools", npy(np.array([[False, True], [False, False]])), read(2, ("0", "1", 1))),
        ("text", npy(np.array([["0", "3"], ["1", "0"]])), read(2, ("0", "1", 3), ("1", "0", 1))),
        ("nan", npy(np.array([[0, np.nan], [1, 0]])), read(2, ("1", "0", 1))),
        ("all nan", npy(np.full((3, 3), np.nan)), "every dyad is hidden"),
        ("flat", npy(np.arange(4)), "shape 4; it must be square"),
        ("number", npy(np.array(3)), r"shape \(\); it must be square"),
        ("cube", npy(np.zeros((2, 2, 2))), "2 x 2 x 2; it must be square"),
        ("wide", npy(np.zeros((2, 3))), "2 x 3; it must be square"),
        ("none", npy(np.zeros((0, 0))), "is empty"),
        ("one", npy(np.zeros((1, 1))), "one node only"),
        ("negative", npy(np.array([[0, -1], [0, 0]])), "negative"),
        ("complex", npy(np.array([[0, 1j], [0, 0]])), "not a number"),
        ("void", npy(np.zeros((2, 2), "V4")), "no numbers"),
        ("record", npy(np.zeros((2, 2), [("a", int)])), "no numbers"),
        ("dates", npy(np.zeros((2, 2), "M8[s]")), "no numbers"),
        ("empty text", npy(np.zeros((2, 2), "U1")), "has no weight"),
        ("unsigned", npy(np.array([[0, 2**64 - 1], [0, 0]], "u8")), "overflows"),
        ("objects", npy(np.array([[0, None], [1, 0]]), allow_pickle=True), "cannot be read"),
        ("pickle", b"\x80\x04K\x03.", "cannot be read"),
        ("nothing", b"", "cannot be read"),
        ("no text at all", announced((10**5, 10**5), "<U0"), "no numbers"),
        ("announced", announced((10**6, 10**6), "<f8"), "too short to hold them"),
        ("more", announced((10**30, 10**30), "<f8"), "too short|cannot be read"),
        ("negative shape", announced((-3, -3), "<f8"), "cannot be read|square"),
        ("version", b"\x93NUMPY\x09\x00" + bytes(20), "cannot be read"),
        ("header", b"\x93NUMPY\x01\x00\x10\x00" + b"{'descr': oops}" + b"\n", "cannot be read"),
    ]:
        yield Case(f"{name}.npy", content, expected)
    head = "%%MatrixMarket matrix "
    mtx: dict[str, tuple[str, Any]] = {
        "good": (head + "coordinate integer general\n4 4 4\n1 2 3\n2 3 1\n3 1 2\n3 4 4\n", at_zero),
        "symmetric": (head + "coordinate integer symmetric\n2 2 1\n2 1 3\n",
                      read(2, ("0", "1", 3), directed=False)),
        "pattern": (head + "coordinate pattern general\n2 2 1\n2 1\n", read(2, ("1", "0", 1))),
        "array": (head + "array integer general\n2 2\n0\n1\n3\n0\n",
                  read(2, ("0", "1", 3), ("1", "0", 1))),
        "outside": (head + "coordinate integer general\n2 2 1\n3 1 3\n", "cannot be read"),
        "zero": (head + "coordinate integer general\n2 2 1\n0 1 3\n", "cannot be read"),
        "short": (head + "coordinate integer general\n2 2 2\n2 1 3\n", "cannot be read"),
        "long": (head + "coordinate integer general\n2 2 1\n2 1 3\n1 2 3\n", "cannot be read"),
        "words": (head + "coordinate integer general\n2 2 1\n2 1 x\n", "cannot be read"),
        "complex": (head + "coordinate complex general\n2 2 1\n2 1 3 1\n", "not a number|complex"),
        "half": (head + "coordinate real general\n2 2 1\n2 1 0.5\n", "not a whole number"),
        "wide": (head + "coordinate integer general\n2 3 1\n1 2 3\n", "2 x 3; it must be square"),
        "huge": (head + "coordinate integer general\n1000000000 1000000000 1\n1 2 3\n",
                 "1,000,000,000 nodes"),
        "huge array": (head + "array integer general\n1000000 1000000\n1\n",
                       "cannot be read|memory"),
        "no head": ("2 2 1\n1 2 3\n", "cannot be read"),
        "nothing": ("", "cannot be read"),
    }  # fmt: skip
    for name, (text, expected) in mtx.items():
        yield Case(f"{name}.mtx", text, expected)


# --- whatever the format ------------------------------------------------------------------------


def truncated() -> Iterator[Case]:
    """Files that end too early, which their formats can tell."""
    graph = nx.DiGraph()
    graph.add_weighted_edges_from((a, b, w) for a, b, w in RING)
    written: dict[str, bytes] = {}
    for suffix, write in ((".graphml", nx.write_graphml), (".gexf", nx.write_gexf)):
        buffer = io.BytesIO()
        write(graph, buffer)
        written[suffix] = buffer.getvalue().rstrip()
    buffer = io.BytesIO()
    nx.write_gml(graph, buffer)
    text = ("source,target,weight\n" + "a,b,1\nb,c,2\n" * 200).encode()
    written |= {
        ".gml": buffer.getvalue().rstrip(),
        ".npy": npy(np.eye(9)),
        ".npz": npz(),
        ".csv.gz": gzip.compress(text),
        ".csv.bz2": bz2.compress(text),
        ".csv.xz": lzma.compress(text),
    }
    for suffix, content in written.items():
        for part in (0.1, 0.3, 0.5, 0.7, 0.9, 0.98):
            size = int(part * len(content))
            yield Case(f"to {size}{suffix}", content[:size], "cannot be read")


def names() -> Iterator[Case]:
    """Suffixes that are none of a network's, and compressed files that are not."""
    for suffix, words in {
        "xlsx": "save the sheet as .csv", "ods": "save the sheet", "dot": ".graphml",
        "json": ".graphml", "pkl": ".graphml", "exe": "can be read", "gz": "can be read",
        "CSV": None, "Tsv": None,
    }.items():  # fmt: skip
        content = SMALL.replace(",", "\t") if suffix == "Tsv" else SMALL
        yield Case(f"net.{suffix}", content, ABC if words is None else words)
    for suffix in (".gz", ".bz2", ".xz"):
        yield Case(f"plain.csv{suffix}", SMALL, "cannot be read")
    yield Case("packed.csv.gz", gzip.compress(SMALL.encode()), ABC)
    yield Case("packed.csv", gzip.compress(SMALL.encode()), "not UTF-8")
    yield Case("zeros.csv.gz", gzip.compress(bytes(50_000_000), 1), "cannot be read")


def beside() -> Iterator[Case]:
    """Tables of nodes and of dyads, and lists of hidden dyads, that do not fit."""
    facts: list[tuple[str, str, Any]] = [
        ("nodes", "name,x\na,1\nb,2\nc,3\n", ABC),
        ("nodes", "name,x\na,1\nb,2\nc,3\nd,4\n", (True, 4, ABC[2])),
        ("nodes", "name;x\na;1\nb;2\nc;3\n", ABC),
        ("nodes", "# name, x\na, 1\nb, 2\nc, 3\n", ABC),
        ("nodes", "name,x\na,1\nb,2\n", "names the node 'c'"),
        ("nodes", "name,x\na,1\na,2\nb,3\nc,4\n", "occurs 2 times"),
        ("nodes", "name,x,x\na,1,2\nb,2,3\nc,3,4\n", "two columns 'x'"),
        ("nodes", "name,x\na,1\nb\nc,3\n", "line 3 has 1 cells"),
        ("nodes", "", "is empty"),
        ("nodes", "name,x\n", "is empty"),
        ("nodes", f"name,x\na,{'9' * 5000}\nb,1\nc,2\n", ABC),
        ("dyads", "source,target,x\na,b,1\nb,c,2\n", ABC),
        ("dyads", ",a,b,c\na,0,1,2\nb,1,0,3\nc,2,3,0\n", ABC),
        ("dyads", "source,target\na,b\n", "a table of dyads is needed"),
        ("dyads", "x,y,z\na,b,1\n", "a table of dyads is needed"),
        ("dyads", "source,target,x\na,q,1\n", "no node 'q'"),
        ("dyads", "source,target,x\na,a,1\n", "with itself"),
        ("dyads", "source,target,x\na,b,1\na,b,1\n", "'a' to 'b' twice"),
        ("dyads", "source,target,x\na,b,1\nb,a,1\n", ABC),
        ("dyads", "", "is empty"),
        ("hidden", "source,target\na,c\n", ABC),
        ("hidden", "source,target\na,q\n", "no node 'q'"),
        ("hidden", "source,target\na,a\n", "cannot be hidden"),
        ("hidden", ",a,b\na,0,1\nb,1,0\n", "a list of dyads is needed"),
        ("hidden", "source,target,distance\na,c,2.5\n", ABC),
        ("hidden", "", "is empty"),
        ("hidden", "a,c\n", ABC),
        ("hidden", "x,y\na,c\n", "a list of dyads is needed"),
        ("hidden", "a\n", "a list of dyads is needed"),
        ("nodes", "a\nb\nc\n", "begins with the node 'a'; a header is needed"),
    ]
    for number, (what, text, expected) in enumerate(facts):
        file = f"{what}{number}.csv"
        yield Case(f"with {file}", SMALL, expected, {what: file}, {file: text})
    for what in ("nodes", "dyads", "hidden"):
        yield Case(f"without {what}.csv", SMALL, "there is no such file", {what: "none.csv"})
    both = "source,target,x\na,b,1\nb,a,{}\n"
    for value, expected in (("1", (False, 3, ABC[2])), ("2", "other values for 'b' to 'a'")):
        file = f"both{value}.csv"
        options = {"dyads": file, "directed": False}
        yield Case(f"with {file}", SMALL, expected, options, {file: both.format(value)})


# --- configurations -----------------------------------------------------------------------------


def configurations() -> Iterator[Case]:
    """TOML files; what is read of one is its network's file and number of fits."""
    fit = '[[fit]]\nmethod = "map"\nseed = 1\n'
    file = 'network = "e.csv"\n'
    texts: list[tuple[str, Any]] = [
        (file + fit, "read: e.csv, 1"),
        ('[network]\nfile = "e.csv"\nweight = "synapses"\nwhere = ["type=chemical"]\n' + fit,
         "read: e.csv, 1"),
        ('directed = false\nnodes = "n.csv"\n' + file + fit, "read: e.csv, 1"),
        ("", "network: Field required"),
        (file, "fit: Field required"),
        (fit, "network: Field required"),
        (file + "fit = []\n", "fit: "),
        (file + "[[fit]]\n", "method"),
        (file + fit.replace("map", "gibbs"), "gibbs"),
        (file + fit.replace("1", "-1"), "fit.0.seed"),
        (file + fit.replace("1", "1.5"), "fit.0.seed"),
        (file + fit.replace("1", '"1"'), "fit.0.seed"),
        (file + fit + 'name = ""\n', "fit.0.name"),
        (file + fit + 'name = "../x"\n', "fit.0.name"),
        (file + fit + f'name = "{"a" * 300}"\n', "fit.0.name"),
        (file + fit * 2, "two fits are named 'map'"),
        (file + fit + "arguments = {init = 3}\n", "init"),
        (file + fit.replace("map", "nuts") + "arguments = {init = 3}\n", "init is 3"),
        (file + fit.replace("map", "nuts") + "arguments = {init = [1]}\n", r"init is \[1\]"),
        (file + fit + "arguments = {starts = 0}\n", "starts is 0"),
        (file + fit + "arguments = {quux = 0}\n", "no argument 'quux'"),
        (file + fit + "arguments = 3\n", "arguments"),
        ("dim = 0\n" + file + fit, "dim: "),
        ("dim = 2.5\n" + file + fit, "dim: "),
        ('dim = "2"\n' + file + fit, "dim: "),
        (f"dim = {'9' * 5000}\n" + file + fit, "not TOML"),
        ("prior_scale = nan\n" + file + fit, "prior_scale: "),
        ("prior_scale = -1.0\n" + file + fit, "prior_scale: "),
        ("jitter = inf\n" + file + fit, "jitter: "),
        ("threads = 0\n" + file + fit, "threads: "),
        ('kernel = "rust"\n' + file + fit, "kernel: "),
        ('model = "nothing"\n' + file + fit, "nothing"),
        ("model = 3\n" + file + fit, "model"),
        ("colour = 3\n" + file + fit, "colour: "),
        ("network = 3\n" + fit, "network: "),
        ("network = {}\n" + fit, "network.file: Field required"),
        ('network = {file = "e.csv", colour = 3}\n' + fit, "no key 'colour'"),
        ('network = {file = "e.csv", directed = 3}\n' + fit, "directed is 3"),
        ('network = {file = "e.csv", where = "type"}\n' + fit, "COLUMN=VALUE is needed"),
        ('network = {file = "e.csv", source = "a"}\n' + fit, "--target is not"),
        ('network = {file = "e.csv", parallel_edges = "last"}\n' + fit, "parallel_edges is 'last'"),
        ("network = " + "[" * 5000, "not TOML"),
        ("a" + ".a" * 20_000 + " = 1\n", "a key has too many dots"),
        ("network = \n", "not TOML"),
        ("\x00", "not TOML"),
        ("[" * 100, "not TOML"),
    ]  # fmt: skip
    for number, (text, expected) in enumerate(texts):
        yield Case(f"config{number}.toml", text, expected)
    yield Case("latin.toml", 'title = "ä"\n'.encode("latin-1"), "cannot be read")
    yield Case("utf16.toml", (file + fit).encode("utf-16"), "cannot be read|not TOML")
    yield Case("binary.toml", bytes(range(256)), "cannot be read")


def all_cases() -> list[Case]:
    """Return every input."""
    kinds: tuple[Callable[[], Iterator[Case]], ...] = (
        *(dialects, weights, tables, graphs, arrays, truncated, names, beside, configurations),
    )
    return [case for kind in kinds for case in kind()]


# --- reading them -------------------------------------------------------------------------------


def outcome(case: Case, folder: Path) -> object:
    """Read an input; return what is read, or the refusal."""
    from lsm_stan import InputError, load_config, read_network

    for name, text in case.beside.items():
        (folder / name).write_text(text, encoding="utf-8", newline="")
    path = folder / case.name
    content = case.content
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    options = {
        name: folder / value if name in ("nodes", "dyads", "hidden") else value
        for name, value in case.options.items()
    }
    try:
        if path.suffix == ".toml":
            config = load_config(path)
            return f"refused: read: {Path(config.network.file).name}, {len(config.fit)}"
        network = read_network(path, **options)
    except InputError as error:
        return f"refused: {str(error).replace(str(folder), '')}"
    edges = network.edge_frame().astype({"weight": int}).to_numpy().tolist()
    return [network.directed, network.n_nodes, sorted(edges)]


def _too_slow(*_: object) -> None:
    raise TimeoutError


def main(folder: Path) -> None:
    """Read every input, and print a line for each."""
    warnings.simplefilter("error")
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.signal(signal.SIGALRM, _too_slow)
    for number, case in enumerate(all_cases()):
        beside = folder / str(number)
        beside.mkdir()
        print(json.dumps({"reading": number}), flush=True)
        signal.alarm(SECONDS)
        try:
            result = outcome(case, beside)
        except BaseException:
            result = traceback.format_exc()
        signal.alarm(0)
        print(json.dumps({"number": number, "result": result}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
