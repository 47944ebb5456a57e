# conan create examples/packaging/conan
import os
import re

from conan import ConanFile
from conan.tools.files import copy


class Pktseq(ConanFile):
    name = "pktseq"
    description = "Learns what normal network conversations look like; one C99 header"
    license = "MIT-0"
    topics = ("network", "anomaly-detection", "gru", "header-only")
    package_type = "header-library"
    settings = "os"
    no_copy_source = True

    @property
    def _top(self):
        return os.path.join(self.recipe_folder, "..", "..", "..")

    def set_version(self):
        with open(os.path.join(self._top, "pktseq.h"), encoding="ascii") as header:
            self.version = re.search(r'^#define PKTSEQ_VERSION "(.*)"', header.read(), re.M)[1]

    def export_sources(self):
        for name in "pktseq.h", "LICENSE":
            copy(self, name, self._top, self.export_sources_folder)

    def package(self):
        copy(self, "pktseq.h", self.source_folder, os.path.join(self.package_folder, "include"))
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))

    def package_id(self):
        self.info.clear()

    def package_info(self):
        self.cpp_info.bindirs = []
        self.cpp_info.libdirs = []
        if self.settings.os in ("Linux", "FreeBSD"):
            self.cpp_info.system_libs = ["m"]
