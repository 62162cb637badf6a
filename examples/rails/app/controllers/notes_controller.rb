class NotesController < ActionController::Base
  def index
    @notes = Note.order(:id)
  end
end
