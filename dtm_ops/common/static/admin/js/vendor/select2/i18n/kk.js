// Kazakh for the search boxes of Django's admin, which brings Select2 without it. Loaded by name: select2/i18n/kk.
(function () {
  "use strict";
  var amd = window.jQuery && window.jQuery.fn && window.jQuery.fn.select2 && window.jQuery.fn.select2.amd;
  if (!amd) {
    return;
  }
  amd.define("select2/i18n/kk", [], function () {
    return {
      errorLoading: function () { return "Нәтижелерді жүктеу мүмкін болмады"; },
      inputTooLong: function (args) { return (args.input.length - args.maximum) + " таңба алып тастаңыз"; },
      inputTooShort: function (args) { return "Тағы кемінде " + (args.minimum - args.input.length) + " таңба енгізіңіз"; },
      loadingMore: function () { return "Жүктеліп жатыр…"; },
      maximumSelected: function (args) { return "Ең көбі " + args.maximum + " жазба таңдауға болады"; },
      noResults: function () { return "Ештеңе табылмады"; },
      searching: function () { return "Ізделуде…"; },
      removeAllItems: function () { return "Барлығын алып тастау"; },
      removeItem: function () { return "Алып тастау"; },
      search: function () { return "Іздеу"; }
    };
  });
})();
