//! The actions, `%name`.
//!
//! Each is one simple command wherever possible, because recipes put variables
//! in front of it (`DESTDIR=x %cmake_build`), arguments behind it, and it
//! between `&&` and `||`. What needs several commands is given to a shell of
//! its own, whose arguments are those of the action; only where that shell
//! could not have the effect (an export) or the parts are best seen in the log
//! does an action have several lines.

/// An action and the text that it stands for, in which definitions and other
/// actions are expanded.
pub(crate) struct Action {
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
}

/// The action of this name.
pub(crate) fn find(name: &str) -> Option<&'static Action> {
    ALL.iter().find(|action| action.name == name)
}

const fn action(name: &'static str, text: &'static str) -> Action {
    Action { name, text }
}

/// Every action, in groups.
pub(crate) const ALL: &[Action] = &[
    // Installing files by hand.
    action("install_dir", "install -dm00755"),
    action("install_file", "install -Dm00644"),
    action("install_exe", "install -Dm00755"),
    action(
        "install_bin",
        "install -Dm00755 -t \"%(installroot)%(bindir)\"",
    ),
    action(
        "patch",
        "patch --force --forward --remove-empty-files --no-backup-if-mismatch -p1 -i",
    ),
    action(
        "tmpfiles",
        "bash -exc 'install -dm00755 \"%(installroot)%(tmpfilesdir)\"; \
         printf \"%%s\\n\" \"$*\" >> \"%(installroot)%(tmpfilesdir)/%(name).conf\"' tmpfiles",
    ),
    action(
        "sysusers",
        "bash -exc 'install -dm00755 \"%(installroot)%(sysusersdir)\"; \
         printf \"%%s\\n\" \"$*\" >> \"%(installroot)%(sysusersdir)/%(name).conf\"' sysusers",
    ),
    // configure and make. dash runs configure scripts much faster than bash.
    action(
        "configure",
        "$(command -v dash || command -v sh) ./configure %(options_configure)",
    ),
    action("reconfigure", "autoreconf -vfi\n%configure"),
    action("autogen", "NOCONFIGURE=1 ./autogen.sh\n%configure"),
    action("make", "make VERBOSE=1 -j \"%(jobs)\""),
    action("make_install", "%make install DESTDIR=\"%(installroot)\""),
    // CMake.
    action("cmake", "cmake %(options_cmake)"),
    action("cmake_kf6", "%cmake %(options_cmake_kf6)"),
    action("cmake_qt6", "%cmake %(options_cmake_qt6)"),
    action(
        "cmake_build",
        "cmake --build \"%(builddir)\" --verbose --parallel \"%(jobs)\"",
    ),
    action(
        "cmake_install",
        "DESTDIR=\"%(installroot)\" cmake --install \"%(builddir)\" --verbose",
    ),
    action(
        "cmake_test",
        "ctest --test-dir \"%(builddir)\" --output-on-failure --parallel \"%(jobs)\"",
    ),
    // Meson and Ninja.
    action("meson", "meson setup %(options_meson) \"%(builddir)\""),
    action(
        "meson_build",
        "meson compile --verbose -j \"%(jobs)\" -C \"%(builddir)\"",
    ),
    action(
        "meson_install",
        "DESTDIR=\"%(installroot)\" meson install --no-rebuild -C \"%(builddir)\"",
    ),
    action(
        "meson_test",
        "meson test --no-rebuild --print-errorlogs -C \"%(builddir)\"",
    ),
    action("ninja", "ninja -v -j \"%(jobs)\" -C \"%(builddir)\""),
    action("ninja_install", "DESTDIR=\"%(installroot)\" %ninja install"),
    // Cargo. Only fetching uses the network.
    action("cargo_fetch", "cargo fetch -v --locked"),
    action("cargo_build", "cargo build %(options_cargo)"),
    action("cargo_test", "cargo test %(options_cargo) --workspace"),
    action(
        "cargo_install",
        "bash -exc 'test $# -gt 0 || set -- \"%(name)\"; for program; do \
         install -Dm00755 -t \"%(installroot)%(bindir)\" \"%(cargo_target_dir)/$program\"; \
         done' cargo_install",
    ),
    // Python.
    action(
        "pyproject_build",
        "python3 -m build --wheel --no-isolation --skip-dependency-check",
    ),
    action(
        "pyproject_install",
        "python3 -m installer --prefix=\"%(prefix)\" --destdir=\"%(installroot)\" dist/*.whl",
    ),
    action("python_setup", "python3 setup.py build"),
    action(
        "python_install",
        "python3 setup.py install --prefix=\"%(prefix)\" --root=\"%(installroot)\"",
    ),
    action(
        "python_compile",
        "python3 -m compileall -q -f -s \"%(installroot)\" \"%(installroot)%(libdir)\"",
    ),
    // Perl and Ruby.
    action(
        "perl_setup",
        "perl Makefile.PL INSTALLDIRS=vendor NO_PACKLIST=1 NO_PERLLOCAL=1",
    ),
    action("gem_build", "gem build *.gemspec"),
    action(
        "gem_install",
        "gem install --local --force --no-user-install --ignore-dependencies \
         --install-dir \"%(installroot)$(gem env gemdir)\" --bindir \"%(installroot)%(bindir)\" \
         *.gem",
    ),
    // Qt.
    action(
        "qmake_qt5",
        "\"%(libdir)/qt5/bin/qmake\" QMAKE_CFLAGS_RELEASE=\"${CFLAGS}\" \
         QMAKE_CXXFLAGS_RELEASE=\"${CXXFLAGS}\" QMAKE_LFLAGS_RELEASE=\"${LDFLAGS}\"",
    ),
    action(
        "qml_cache_qt6",
        "find \"%(installroot)%(libdir)/qt6/qml\" -type f -name '*.qml' \
         -exec \"%(libdir)/qt6/qmlcachegen\" -o '{}c' '{}' ';'",
    ),
    action(
        "qt_user_facing_links",
        "bash -exc 'while read -r target link; do \
         install -dm00755 \"%(installroot)$(dirname \"$link\")\"; \
         ln -sfv \"$target\" \"%(installroot)$link\"; \
         done < \"%(builddir)/user_facing_tool_links.txt\"' qt_user_facing_links",
    ),
    // Documentation.
    action(
        "export_docbook_catalogs",
        "export XML_CATALOG_FILES=\"%(vendordir)/xml/catalog %(sysconfdir)/xml/catalog\"",
    ),
    // Compiler caches, where there is one.
    action(
        "ccache_zero",
        "(! command -v ccache || ccache --zero-stats)",
    ),
    action(
        "ccache_stats",
        "(! command -v ccache || ccache --show-stats)",
    ),
];
